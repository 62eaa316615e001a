# SkinLens as a container: the app with what serving needs (no torch), as a user without rights, on a read-only root.
#
#   docker build -t skinlens .
#   docker run --rm -it -v skinlens:/data skinlens user add NAME --role admin
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -p 127.0.0.1:8501:8501 -v skinlens:/data skinlens
#
# In it the app listens on every address, so it starts only once there is an account. Publish its port on 127.0.0.1
# alone, or have a proxy with TLS in front: -e SKINLENS_BEHIND_PROXY=https://clinic.example/skinlens
# -e FORWARDED_ALLOW_IPS=ADDRESS_OF_THE_PROXY.
# Research and education software. Not a medical device. Not for diagnosis or treatment decisions.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE LICENSE-MODELS.md app.py ./
COPY .streamlit .streamlit
COPY pages pages
COPY weights weights
COPY skinlens skinlens
ENV UV_PROJECT_ENVIRONMENT=/opt/skinlens UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN uv sync --frozen --no-dev --no-editable --python /usr/local/bin/python

FROM python:3.11-slim-bookworm
COPY --from=build /opt/skinlens /opt/skinlens
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin skinlens \
    && install -d -m 700 -o skinlens -g skinlens /data
ENV PATH=/opt/skinlens/bin:$PATH SKINLENS_HOME=/data HOME=/tmp PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from http.client import HTTPConnection as To; to = To('127.0.0.1', 8501, timeout=4); to.request('GET', '/'); raise SystemExit(to.getresponse().status >= 500)"]
ENTRYPOINT ["skinlens"]
CMD ["app", "--host", "0.0.0.0"]
