"""A checked document becomes a plan: references resolved, expressions marked, tasks with their pointers.

``workflow``    the whole document                   ``scope``   which variables are visible where
``tasks``       lists of tasks, what all tasks share  ``draft``   nodes -> templates; remembers every expression
``simple`` ``composites`` ``calls`` ``runs``          the kinds of tasks
``outside``     functions and schemas that stand elsewhere
``dataflow`` ``events`` ``retries`` ``values``        the parts that they share
"""
