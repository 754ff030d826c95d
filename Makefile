# The README's commands, one line each: cargo and the scripts do the work.

.PHONY: dev test failure test-pooler test-upgrade fuzz fuzz-parsers bench bench-peers fmt lint dependencies checks client machine breakers
.NOTPARALLEL:

# The whole server, with a PostgreSQL of its own. Its flags go into ARGS: make dev ARGS=--reset
dev: machine
	@exec cargo run --locked -- dev $(ARGS)

# In this order, so that what is quick to find is found first.
test: checks machine breakers client dependencies lint
	cargo test --locked --workspace
	@sh scripts/fuzz-api

# Everything that can die dies, for hours; a few minutes of it are part of `make test`. One scenario: make failure ARGS=herd
failure: machine breakers
	@FAILURE=long cargo test --locked --test failure -- --nocapture --test-threads=1 $(ARGS)
	@$(if $(ARGS),,FAILURE=long cargo test --locked --test it -- --nocapture every_item_is_decided)

# The tests behind PgBouncer that pools transactions. Some of them: make test-pooler ARGS=stories
test-pooler: machine client
	@sh scripts/test-pooler $(ARGS)

# This version beside the one before the newest migration, under load. Another one: make test-upgrade FORMER=v0.1.0
test-upgrade: machine
	@FORMER=$(FORMER) sh scripts/test-upgrade

# Requests made up from /openapi.json, good and bad. More of them: make fuzz EXAMPLES=1000
fuzz: machine
	@sh scripts/fuzz-api

# Bytes made up by libFuzzer, for what reads strangers' bytes. For longer: make fuzz-parsers TIME=3600
fuzz-parsers:
	@sh scripts/fuzz-parsers

# On a PostgreSQL with fsync on; leave the machine alone meanwhile.
bench: machine
	@exec cargo run --locked --release --package trunkline-bench --features stock -- $(ARGS)

# Trunkline beside other engines and queues, which are installed for it. Some of them: make bench-peers PEERS=dbos,absurd
bench-peers: machine
	@exec cargo run --locked --release --package trunkline-bench -- --peers $(or $(PEERS),all) $(ARGS)

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check && cargo clippy --locked --workspace --all-targets -- -D warnings

# Licences, banned crates and sources of what we build on, by cargo-deny; and what npm's registry knows against the
# packages that tests and benchmarks take from there, where it answers. With known vulnerabilities of crates, where there
# is a network, and with those of packages as errors: make dependencies ADVISORIES=1
dependencies:
	@sh scripts/check-dependencies
	@sh scripts/audit-npm

# The numbered checks of both APIs' specifications that no test carries.
checks:
	@sh scripts/list-missing-checks

# The original's own Node clients, which a test runs; nothing to do where they are.
client:
	@sh scripts/install-official-client

# PostgreSQL's binaries and a C compiler; nothing to do where they are.
machine:
	@sh scripts/install-postgres.sh

# What makes clocks wrong and networks fall silent, where it can be installed; nothing to do where it is.
breakers:
	@sh scripts/install-failure-tools
