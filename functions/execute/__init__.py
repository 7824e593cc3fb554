"""execute: the light, stateless function that runs one invocation of one execution from a JSON dispatch.

``__main__``    settings, server, signals
``app``         the ASGI application: routes, probes, the body's limit
``target``      the same handler as a functions-framework HTTP target
``invocation``  decoding a dispatch, running the driver, what each ending means for the Broker
``parts``       builds the adapters from settings
``tracing``     the spans of an invocation
``listening``   what steps say, as log lines of their execution
``measuring``   what is counted for whoever watches
``birth``       how long the process needed to be ready

It imports no database driver, no web framework and no document models; what is heavy is imported when first needed.
"""
