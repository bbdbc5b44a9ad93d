# The image of cds-service: docs/deployment.md. Build it with BuildKit (docker, podman and buildah have it).
# A tag can move. To pin the current image: --build-arg PYTHON=python:3.11.14-slim-bookworm@sha256:…, as
# `docker buildx imagetools inspect python:3.11.14-slim-bookworm` prints it.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /source
COPY requirements.lock requirements-build.lock pyproject.toml README.md LICENSE NOTICE ./
COPY deploy/install_into deploy/install_into
COPY fixtures/patients fixtures/patients
COPY cards cards
COPY cds_service cds_service
# Separate several with commas:
# report: charts in `cds-service report --format html`
# tracing: spans for an OpenTelemetry collector
# backtest: `cds-service backtest`, for a separate image next to an export; the service does not need it
ARG EXTRAS=""
# A mirror of the package index: --secret id=pip,src=pip.conf, which is not stored in the image or its history.
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    deploy/install_into /opt/cds-service "${EXTRAS}"

FROM ${PYTHON}
ARG REVISION=""
LABEL org.opencontainers.image.title="cds-service" \
      org.opencontainers.image.description="CDS Hooks service: advisory cards about lumbar puncture and back pain" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/cds-service /opt/cds-service
# The parts of Python's standard library that are used are compiled once, here: the base image has no bytecode, and a
# read-only container would compile them at each start. /var/lib/cds-service is for SQLite, on one node.
RUN /opt/cds-service/bin/cds-service check \
    && /opt/cds-service/bin/python -c "import cds_service.server.door, cds_service.server.server" \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/cds-service
# Development does not listen on 0.0.0.0. Production does not start without clients, a public URL and a database.
# HOME: where libraries can write a cache.
ENV PATH=/opt/cds-service/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    CDS_PROFILE=production \
    CDS_HOST=0.0.0.0 \
    CDS_PORT=8080
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/opt/cds-service/bin/python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['CDS_PORT']), timeout=4); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["/opt/cds-service/bin/cds-service"]
CMD ["serve"]
