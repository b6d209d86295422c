# Two images: `obole` for migrations, API and worker; `kannel` for the gateway beside them.

FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md ./
COPY api api
COPY ledger ledger
COPY migrations migrations
COPY projections projections
# The lock also holds what development needs; as a constraint it pins, with hashes, only what runs.
RUN python -m venv /opt/obole \
    && pip install --no-cache-dir uv \
    && uv pip install --no-cache --python /opt/obole/bin/python --constraint requirements.lock '.[archive]'

FROM python:3.12-slim AS obole
# The account owns nothing but its home, where the master key's volume is mounted.
RUN useradd --create-home --uid 10001 obole \
    && install --directory --owner=obole --mode=0700 /home/obole/keys
COPY --from=build /opt/obole /opt/obole
COPY settings /home/obole/settings
ENV PATH=/opt/obole/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /home/obole
USER obole
ENTRYPOINT ["obole"]
CMD ["--help"]

FROM debian:bookworm-slim AS kannel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends kannel \
    && rm -rf /var/lib/apt/lists/*
USER kannel
