"""orchestrate: owns workflows, executions, timers, subscriptions and events; decides what runs next.

``app``          the HTTP application; ``api`` its routes, ``problems`` its errors
``service``      the parts put together; ``ports`` are the neighbours: broker, execute, ingest
``rule``         the one rule, pure: when a waiting execution runs
``store``        all SQL; ``migrations`` its schema, ``migrate`` applies them
``work``         one transaction and what follows its commit

Flows, each a few functions over one transaction:

``starting``     an execution begins                 ``dispatching``  work orders, written once
``outcomes``     execute reports; ``reports``: is it authentic?
``waking``       inbox, rule, end                    ``changing``     every phase change is told
``timekeeper``   timers are held and fired           ``ticking``      what a tick does, who asks for one
``incoming``     events from the world               ``listening``    listeners meet events
``cancelling``   cancel, and its grace               ``lost``         lost dispatches
``measuring``    what is counted for whoever watches
``deadletters``  what could not be delivered         ``redriving``    when an operator has looked
``repeating``    restart, retry, fork                ``requests``     starts over HTTP
``alerting``     when analytics is asked for alerts
``asking``       callbacks, human tasks             ``explaining``   why it waits, pure
``deleting``     deletion, and what is left to be done elsewhere
``operating``    bulk operations; ``actions``: what they do to each one
``rounds``       rows that are served until none is left
``deploying``    a document becomes a version        ``shortway``     synchronous starts
``scheduling``   every, cron, after                 ``pausing``      pause, resume, an operator's limits
``limiting``     starts that wait in line           ``admission``    who goes next, pure
``admitting``    one round of it                    ``gatekeeper``   when it is time for one
``relay``        the outbox's way out; ``outgoing``: to whom
"""
