# Every target works on a fresh checkout with Go alone, but for test, which says what else it needs.

# The linter is pinned here and built by Go, so that everybody and CI use the same one.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: run test lint bench certify microbench fmt tidy-check cover contract-service

## run: the main job: flags survive the loss of their source and a kill -9 in the middle of an update
run:
	@go run ./examples/outage

## test: everything under the race detector, against real servers; prepares what it needs (see CONTRIBUTING.md)
test:
	@scripts/test.sh

## contract-service: the service by which the public suite for SDKs drives the client (see contracttest/doc.go)
contract-service:
	@AWS_ACCESS_KEY_ID=dummy AWS_SECRET_ACCESS_KEY=dummy \
		go run ./contracttest -address $${CONTRACT_SERVICE_ADDRESS:-127.0.0.1:8100}

## lint: vet, linter with the import rules between floors, go.mod up to date
lint: tidy-check
	go vet ./...
	$(GOLANGCI_LINT) run ./...
	go vet -C benchmarks ./...
	cd benchmarks && $(GOLANGCI_LINT) run ./...
	go vet -C ldbridge ./...
	cd ldbridge && $(GOLANGCI_LINT) run ./...
	go vet -C certification ./...
	cd certification && $(GOLANGCI_LINT) run ./...

tidy-check:
	go mod tidy -diff
	go mod verify
	cd benchmarks && go mod tidy -diff
	cd ldbridge && go mod tidy -diff
	cd certification && go mod tidy -diff

## bench: cleat beside LaunchDarkly's SDK and the bare drivers, in one run; writes docs/benchmarks.md and its chart
bench:
	@scripts/bench.sh

## certify: everything that can go wrong, on real servers; writes docs/certification.md
certify:
	@scripts/certify.sh

## microbench: the benchmarks of the packages, with allocations, on one core and on two
microbench:
	go test -run '^$$' -bench . -benchmem -cpu 1,2 ./...

## cover: statement coverage of the packages that have a floor of 90 %
cover:
	@scripts/cover.sh

## fmt: format everything
fmt:
	$(GOLANGCI_LINT) fmt ./...
