# Any image with Python 3.11 or newer on PATH; the locks hold for all of them. A tag may change its meaning: to build
# the same image again, name the base by digest, as
# --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:….
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python3 -m venv /opt/guichet
COPY requirements.lock ./
RUN /opt/guichet/bin/pip install --require-hashes -r requirements.lock
COPY requirements-build.lock ./
RUN python3 -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY api ./api
COPY models ./models
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/guichet/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/guichet/bin/python -m compileall -q /opt/guichet/lib \
    && /opt/guichet/bin/pip uninstall --yes --quiet pip

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/guichet /opt/guichet
# A numeric user needs no entry in any image's /etc/passwd. It owns only what the service writes.
RUN mkdir -p /srv/guichet/var && chmod 700 /srv/guichet/var && chown -R 10001:10001 /srv/guichet
ENV PATH=/opt/guichet/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/srv/guichet \
    GUICHET_ENVIRONMENT=production
WORKDIR /srv/guichet
# For GUICHET_DATABASE_URL=sqlite://var/guichet.db. The image names no database itself: who forgets to would otherwise
# have accounts in a volume without a name, which goes with the container.
VOLUME /srv/guichet/var
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["guichet"]
CMD ["serve", "--host", "0.0.0.0"]
