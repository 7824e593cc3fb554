"""Alerts: rules over series, looked at when orchestrate asks, told by events and webhooks (docs/alerts.md).

Pure: ``conditions`` (numbers -> verdict), ``core`` (verdict and what is remembered -> what becomes of an alert).

``rules``      the shape of a rule                    ``ruling``     put, get, list, delete
``reading``    what a rule looks at, from rollups     ``trying``     what a rule would have said
``evaluating`` rules that are due, under their lock   ``states``     rows of what was found
``telling``    what is told, written with what decides it
``delivering`` what is to be told, sent; ``webhooks`` signs
``showing``    alerts, acknowledging                  ``silencing``  silences, stored by ``silences``
``ticks``      where orchestrate asks                 ``watching``   how often it is to ask
``keeping``    what is forgotten                      ``tables``     of the store, for its migrations
``desk``       what all of them work with
"""
