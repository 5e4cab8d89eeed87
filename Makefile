# The modules are those of go.work, in its order; nothing else lists them.
MODULES := $(shell go list -f '{{.Dir}}' -m)
# Other platforms on which what users compile must compile.
PLATFORMS := windows/amd64 darwin/arm64 freebsd/amd64 linux/386 linux/arm
# Of the tools, the race detector looks only at what users install: the tests of the
# others start programs, in which it sees nothing, or measure.
RACED := $(filter-out $(CURDIR)/tools/%,$(MODULES)) $(CURDIR)/tools/cachectl
# Versions of tools are pinned in tools/mod/go.mod.
GOVULNCHECK := GOWORK=off go tool -modfile=$(CURDIR)/tools/mod/go.mod govulncheck
# The matrices, the page and a page for each rule are made from these reports.
REPORT := go run ./conformance/cmd/conformance-report -readme README.md -readme docs/choosing-a-store.md -o docs/support.html -rules docs/rules

.PHONY: demo test race check vulnerabilities bench servers matrix matrix-check release-check

## demo: run a slow job through the cache, twice, over several backends
demo:
	sh tools/demo/demo.sh

## test: every test of every module. Not in it: the proofs of release-check, more than
## seconds of random histories of leases (CONFORMANCE_LEASES), the soak of tiered
## (CONFORMANCE_SOAK), a real bucket (CACHE_TEST_GCS_BUCKET), the fake bucket in a process
## of its own (CACHE_TEST_GCS_SERVER=1), fuzzing and benchmarks
test: servers
	go test -timeout 30m work

## race: the same under the race detector (needs a C compiler), without tests that mostly
## wait, without suites over variants, which run the code of another suite, and without tools
## but cachectl
race: servers
	go test -race -short -timeout 30m $(addsuffix /...,$(RACED))

## servers: the image that the integration tests start servers from, where there is Docker
servers:
	@sh conformance/integration/servers/build.sh

## check: formatting, vet, types on other platforms, staticcheck, workflows, tidy go.mod files, a complete go.work.sum
check:
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet work
	go run ./tools/mod types $(PLATFORMS)
	go tool staticcheck $(addsuffix /...,$(MODULES))
	go tool actionlint -shellcheck= -pyflakes=
	@set -e; for dir in $(MODULES); do (cd $$dir && GOWORK=off go mod tidy -diff); done
	@before=$$(cat go.work.sum) && go list -m all >/dev/null && \
	if [ "$$before" != "$$(cat go.work.sum)" ]; then echo "go.work.sum was incomplete: commit it" >&2; exit 1; fi

## vulnerabilities: known vulnerabilities in the code that each module calls (queries vuln.go.dev)
vulnerabilities:
	@set -e; for dir in $(MODULES); do (cd $$dir && $(GOVULNCHECK) ./...); done

## bench: the backends against their peers, in one run of about an hour and a half; writes docs/bench
bench:
	go run ./tools/bench -out docs/bench

## matrix: run the suite over every backend and update its results in docs and README.md
matrix: servers
	go test -count=1 -run TestDefects ./conformance/cmd/conformance-report -update
	@reports=$$(mktemp -d) && trap 'rm -rf "$$reports"' EXIT && \
	CONFORMANCE_STRICT=1 CONFORMANCE_REPORT=$$reports go test ./conformance/integration && \
	$(REPORT) -merge $$reports docs/support

## matrix-check: find what is stale in what matrix updates, compared with the reports in REPORTS
matrix-check:
	$(REPORT) -check -strict $(if $(REPORTS),-merge $(REPORTS)) docs/support

## release-check: the modules as users would get them, a rehearsal of the next release, and each backend through the suite with the oldest core it allows
release-check: servers
	go run ./tools/mod verify
	go run ./tools/mod check
	go run ./tools/mod rehearse
	go run ./tools/mod skew
