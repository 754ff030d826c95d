# syntax=docker/dockerfile:1
# One image for every role; the command says which: serve, worker, migrate, …

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin trunkline \
    && cp target/release/trunkline /usr/local/bin/trunkline

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home trunkline
COPY --from=build /usr/local/bin/trunkline /usr/local/bin/trunkline
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/trunkline/
USER trunkline
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["trunkline"]
CMD ["--help"]
