# lookhere serve on the CPU. The build compiles for the processor that it runs on.
FROM python:3.12-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python -m venv /opt/lookhere && /opt/lookhere/bin/pip install --no-cache-dir '.[server]'

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 lookhere
COPY --from=build /opt/lookhere /opt/lookhere
USER 10001
WORKDIR /home/lookhere
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["/opt/lookhere/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# A token is needed: docker run -e LOOKHERE_TOKEN=...
ENTRYPOINT ["/opt/lookhere/bin/lookhere", "serve", "--host", "0.0.0.0", "--port", "8000"]
