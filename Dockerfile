# syntax=docker/dockerfile:1
#
# The images of the operator and of the services, one target each:
#
#   docker build --target manager  --build-arg VERSION=0.1.0 -t REGISTRY/manager:0.1.0 .
#   docker build --target metadata --build-arg VERSION=0.1.0 -t REGISTRY/metadata:0.1.0 .
#   docker build --target rating   …
#   docker build --target movie    …
#   docker build --target auth     …
#
# Without Docker: make images.
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS source
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY services services
COPY hack/make/build hack/make/build

# A program a stage, so that one target builds no more than its own.
FROM source AS build
ARG TARGETOS TARGETARCH
ARG VERSION=dev
ENV GOOS=$TARGETOS GOARCH=$TARGETARCH

FROM build AS build-manager
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    hack/make/build manager "$VERSION" /out/manager
FROM build AS build-metadata
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    hack/make/build metadata "$VERSION" /out/metadata
FROM build AS build-rating
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    hack/make/build rating "$VERSION" /out/rating
FROM build AS build-movie
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    hack/make/build movie "$VERSION" /out/movie
FROM build AS build-auth
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    hack/make/build auth "$VERSION" /out/auth

# Certificates, time zones, the user 65532 and nothing else: no shell.
FROM gcr.io/distroless/static-debian12:nonroot AS runtime
USER 65532:65532

FROM runtime AS metadata
COPY --from=build-metadata /out/metadata /metadata
ENTRYPOINT ["/metadata"]

FROM runtime AS rating
COPY --from=build-rating /out/rating /rating
ENTRYPOINT ["/rating"]

FROM runtime AS movie
COPY --from=build-movie /out/movie /movie
ENTRYPOINT ["/movie"]

FROM runtime AS auth
COPY --from=build-auth /out/auth /auth
ENTRYPOINT ["/auth"]

# Last, so that it is what a plain `docker build .` makes.
FROM runtime AS manager
COPY --from=build-manager /out/manager /manager
ENTRYPOINT ["/manager"]
