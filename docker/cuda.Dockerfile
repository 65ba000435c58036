# syntax=docker/dockerfile:1
# The server on a GPU: torch's captured graph, or the fused kernel. CUDA comes once, as the wheels that torch requires,
# on a plain Python base: an nvidia/cuda base would bring every library a second time. The driver is the host's.
# DL3008: a slim base follows Debian's stable release, whose mirrors keep only the newest version of a package
# hadolint global ignore=DL3008

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# what pip asks beside PyPI; https://download.pytorch.org/whl/cpu gives the same image without CUDA, to try the build
ARG TORCH_INDEX=
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/ostinato
ENV PATH=/opt/ostinato/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt docker/requirements.py ./
# the dependencies first: they are gigabytes, and change less often than the source
RUN python3 requirements.py pyproject.toml cuda > requirements.txt \
 && pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt
COPY README.md LICENSE ./
COPY models models
COPY server server
COPY clients clients
RUN pip install -c constraints.txt --no-deps .

FROM ${BASE}
LABEL org.opencontainers.image.title="Ostinato on a GPU" \
      org.opencontainers.image.description="A real-time server for sample-level autoregressive audio" \
      org.opencontainers.image.licenses="Apache-2.0"
# Triton compiles its launcher with the C compiler of the machine, against Python's headers
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin ostinato \
 && install -d -o 10001 -m 700 /var/lib/ostinato
COPY --from=build /opt/ostinato /opt/ostinato
COPY --chmod=755 docker/entrypoint.sh /usr/local/bin/entrypoint.sh
# utility brings nvidia-smi; Triton keeps what it compiled where user 10001 may write
ENV PATH=/opt/ostinato/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TRITON_CACHE_DIR=/tmp/triton \
    OSTINATO_HOST=0.0.0.0 \
    OSTINATO_PORT=8000 \
    OSTINATO_DATA=/var/lib/ostinato \
    OSTINATO_DEVICE=cuda
USER 10001
# batches and their files
VOLUME /var/lib/ostinato
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['OSTINATO_PORT']}/readyz\", timeout=2)"]
ENTRYPOINT ["entrypoint.sh"]
CMD ["serve"]
