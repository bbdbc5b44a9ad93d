# The image of cds-service: docs/deployment.md. Build it with BuildKit (docker, podman and buildah have it).
# A tag can be moved. To pin what it stands for today: --build-arg PYTHON=python:3.11.14-slim-bookworm@sha256:…, as
# `docker buildx imagetools inspect python:3.11.14-slim-bookworm` prints it.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /source
COPY requirements.lock requirements-build.lock pyproject.toml README.md LICENSE NOTICE ./
COPY deploy/install_into deploy/install_into
COPY fixtures/patients fixtures/patients
COPY cards cards
COPY cds_service cds_service
# With commas between several:
# report: charts in `cds-service report --format html`
# tracing: spans for an OpenTelemetry collector
# backtest: `cds-service backtest`, for an image of its own beside an export: nothing that only serves needs it
ARG EXTRAS=""
# A mirror of the package index: --secret id=pip,src=pip.conf, which stays out of the image and of its history.
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
# What Python's own library is asked for is compiled once, here: the base image comes without bytecode, and a container whose
# files cannot be written would compile it at each start. /var/lib/cds-service is for SQLite, on one node.
RUN /opt/cds-service/bin/cds-service check \
    && /opt/cds-service/bin/python -c "import cds_service.server.door, cds_service.server.server" \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/cds-service
# Development would refuse to listen on 0.0.0.0, and production to start without clients, a public URL and a database.
# HOME: libraries that want a cache have nowhere else to write.
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
