# One image per deployable:  docker build --target execute -t lowtide-execute .
# Targets: execute, ingest, orchestrate, analytics. Each holds the wheel with its own extra, and nothing to build with.

ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS python
# The interpreter comes without bytecode for its own library, and whoever runs here may not write any: compiled once, and
# never compared with its sources again. It is half of a cold start.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(test|tests|idlelib|turtledemo|tkinter|ensurepip|site-packages)/' "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/lowtide/bin:$PATH PYTHONUNBUFFERED=1

FROM python AS builder
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sdk sdk
COPY functions functions
COPY analytics_api analytics_api
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . && python -m venv --without-pip /opt/lowtide

# What all four share is installed once; each extra adds its own.
FROM builder AS shared
RUN pip --python /opt/lowtide/bin/python install --no-cache-dir --no-compile --constraint constraints.txt /wheels/*.whl

FROM shared AS execute-built
RUN pip --python /opt/lowtide/bin/python install --no-cache-dir --no-compile --constraint constraints.txt "$(echo /wheels/*.whl)[execute,metrics,otel]" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/lowtide/lib

FROM shared AS ingest-built
RUN pip --python /opt/lowtide/bin/python install --no-cache-dir --no-compile --constraint constraints.txt "$(echo /wheels/*.whl)[ingest,metrics,otel]" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/lowtide/lib

FROM shared AS orchestrate-built
RUN pip --python /opt/lowtide/bin/python install --no-cache-dir --no-compile --constraint constraints.txt "$(echo /wheels/*.whl)[orchestrate,metrics,otel]" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/lowtide/lib

FROM shared AS analytics-built
RUN pip --python /opt/lowtide/bin/python install --no-cache-dir --no-compile --constraint constraints.txt "$(echo /wheels/*.whl)[analytics,metrics,otel]" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/lowtide/lib

# The process is number 1 of its container and handles SIGTERM itself: no shell, no init.
FROM python AS execute
COPY --from=execute-built /opt/lowtide /opt/lowtide
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "lowtide.functions.execute"]

FROM python AS ingest
COPY --from=ingest-built /opt/lowtide /opt/lowtide
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "lowtide.functions.ingest"]

FROM python AS orchestrate
COPY --from=orchestrate-built /opt/lowtide /opt/lowtide
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "lowtide.functions.orchestrate"]

FROM python AS analytics
COPY --from=analytics-built /opt/lowtide /opt/lowtide
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "lowtide.analytics_api"]
