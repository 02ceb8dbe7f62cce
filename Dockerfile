# The bot and its web app. Settings come from the environment; nothing secret is in the image.
FROM python:3.12-slim AS packages
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data --shell /usr/sbin/nologin looseline
WORKDIR /app
COPY --from=packages /venv /venv
COPY schema.sql ./
COPY bot bot
COPY db db
COPY handlers handlers
COPY sandbox sandbox
COPY services services
COPY webhooks webhooks
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
RUN python -m compileall -q .
USER looseline
# For the bundled database, when DATABASE_URL is empty; else nothing is kept here.
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=5)"]
# No shell in between: SIGTERM reaches the bot, which finishes what runs within ten seconds.
CMD ["python", "-m", "bot"]
