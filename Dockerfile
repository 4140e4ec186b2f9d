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
ENTRYPOINT ["node", "/app/main.js"]
USER 10001:10001
