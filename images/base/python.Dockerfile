# Stands in for python:3.11-slim-bookworm where no registry of images is reachable: Debian's own Python 3.11.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
CMD ["python3"]
