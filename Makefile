# The modules are those of go.work, in its order; nothing else lists them.
MODULES := $(shell go list -f '{{.Dir}}' -m)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The matrix and the page are made from these reports.
REPORT := go run ./conformance/cmd/conformance-report -readme README.md -o docs/support.html

.PHONY: demo test race check bench servers matrix matrix-check release-check

## demo: run a slow job through the cache, twice, over several backends
demo:
	sh tools/demo/demo.sh

## test: every test of every module
test: servers
	go test -timeout 20m work

## race: the same under the race detector (needs a C compiler), without what mostly waits
race: servers
	go test -race -short -timeout 20m work

## servers: the image that the integration tests start servers from, where there is Docker
servers:
	@sh conformance/integration/servers/build.sh

## check: formatting, vet, staticcheck, and go.mod files that are tidy on their own
check:
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet work
	go run $(STATICCHECK) $(addsuffix /...,$(MODULES))
	@set -e; for dir in $(MODULES); do (cd $$dir && GOWORK=off go mod tidy -diff); done

## bench: the backends against their peers, in one run of about half an hour; writes docs/bench
bench:
	go run ./tools/bench -out docs/bench

## matrix: run the suite over every backend and update docs/support, README.md and docs/support.html
matrix: servers
	@reports=$$(mktemp -d) && trap 'rm -rf "$$reports"' EXIT && \
	CONFORMANCE_STRICT=1 CONFORMANCE_REPORT=$$reports go test ./conformance/integration && \
	$(REPORT) -merge $$reports docs/support

## matrix-check: find what is stale in docs/support, README.md and docs/support.html, compared with the reports in REPORTS
matrix-check:
	$(REPORT) -check -strict $(if $(REPORTS),-merge $(REPORTS)) docs/support

## release-check: the modules as users would get them, and each backend through the suite with the oldest core it allows
release-check: servers
	go run ./tools/mod verify
	go run ./tools/mod check
	go run ./tools/mod skew
