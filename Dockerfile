# The operator: a bundle on Node. Build with the repository as context: docker build .
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS build
WORKDIR /build
ENV NODE_OPTIONS=--use-system-ca
COPY package.json package-lock.json ./
# Install scripts only fetch a Node for developers; npm itself and esbuild do without.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/build.mjs
COPY src src
RUN node scripts/build.mjs

FROM ${BASE}
LABEL org.opencontainers.image.title="SparseDM operator" \
      org.opencontainers.image.description="Fine-tunes diffusion models to N:M sparsity and serves them, on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/dist/ /app/
# Compiled here once instead of at each start. Node keeps the code of each user apart; another user starts without it.
ENV NODE_COMPILE_CACHE=/app/cache
RUN install --directory --owner=10001 cache \
    && setpriv --reuid=10001 --regid=10001 --clear-groups node main.mjs --version \
    && chown --recursive root:root cache \
    && chmod --recursive a+rX cache
ENTRYPOINT ["node", "/app/main.mjs"]
USER 10001:10001
