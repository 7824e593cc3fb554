"""``run: container``: what executions ask for is noted in their own transaction, and served outside of any.

``serving``     what is noted, and how an end becomes a wake
``caretaker``   starts, watches and removes what is noted; any process, any number at once
``kubernetes``  the ``Containers`` port on Kubernetes Jobs; ``job`` is how such a Job looks, ``pod`` what became of it
"""
