# edgekeeper: `make demo` shows it, `make check` is the fast loop, `make test` is everything.
SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := build

GO      ?= go
CACHE   := $(or $(EDGEKEEPER_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/edgekeeper)
VERSION ?= dev
LDFLAGS := -s -w -X github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version.release=$(VERSION)
# Root, for namespaces and IPVS: as it is, or through sudo with the environment that Go needs.
ROOT    := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=PATH,HOME,GOCACHE,GOMODCACHE,GOPATH,EDGEKEEPER_CACHE,XDG_CACHE_HOME)
FUZZTIME ?= 20s
SIM_HOURS ?= 100000
SOAK    ?= 30m
CATALOG ?= file
# The files of a build tag, their packages, and their tests: the others run without it.
files   = $(shell grep -rlE '^//go:build $(1)$$' --include='*.go' .)
tagged  = $(sort $(dir $(call files,$(1))))
empty  :=
tests   = -run '^($(subst $(empty) $(empty),|,$(sort $(shell sed -nE 's/^func (Test[A-Za-z0-9_]*).*/\1/p' $(call files,$(1))))))$$'

.PHONY: help build check test test-native simulate test-consul test-priv test-kernel test-lab lint lint-fast demo lab bench bench-vrrp soak fuzz docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build bin/edgekeeper, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/edgekeeper ./cmd/edgekeeper

check: lint-fast ## the fast loop: formatting, vet, unit tests; no root, no network
	$(GO) test -parallel 16 ./... # the long ones wait for elections, they do not compute

test: test-native test-consul test-priv test-kernel test-lab ## everything: needs root or sudo; builds Consul and Nomad once

test-native: ## unit, property and fuzz-seed tests under the race detector
	@echo '== unit tests, race detector'
	$(GO) test -race ./...
	$(MAKE) simulate

simulate: ## SIM_HOURS of virtual routers under faults (SIM_SEED for another first seed)
	@echo '== $(SIM_HOURS) simulated hours of virtual routers'
	$(GO) test ./vrrp/vrrptest -count=1 -timeout 0 -v -run '^TestSimulation$$' -sim.hours $(SIM_HOURS) $(if $(SIM_SEED),-sim.seed $(SIM_SEED))

test-consul: ## tests against a real Consul agent
	@echo '== tests against real Consul'
	$(ROOT) $(GO) run ./test/setup keepalived haproxy nginx
	$(GO) run ./test/setup consul consul-template nomad
	PATH="$(CACHE)/bin:$$PATH" $(GO) test -tags consul -count=1 $(call tests,consul) $(call tagged,consul)

test-priv: ## tests in network namespaces, as root
	@echo '== tests in network namespaces'
	$(ROOT) $(GO) run ./test/setup keepalived tshark ip nft
	$(ROOT) $(GO) test -tags priv -count=1 $(call tests,priv) $(call tagged,priv)

test-kernel: ## the IPVS driver and its fake against a real kernel
	@echo '== the IPVS driver on a real kernel'
	$(ROOT) $(GO) run ./test/setup ip ipvsadm
	for pkg in kernel lvstest; do CGO_ENABLED=0 $(GO) test -c -tags lab -o $(CACHE)/bin/$$pkg.test ./lvs/$$pkg; done
	$(ROOT) $(GO) run ./test/lab exec /bin/sh -ec 'ip link set lo up; "$$0" -test.v -test.run Lab; "$$1" -test.v -test.run Lab' $(CACHE)/bin/kernel.test $(CACHE)/bin/lvstest.test

test-lab: ## the lab: real IPVS, Consul, Nomad and keepalived
	@echo '== the lab'
	$(ROOT) $(GO) run ./test/lab run

lint-fast:
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...

lint: lint-fast ## all linters, with the tags of the special tests
	$(GO) mod tidy -diff
	for tags in '' consul priv lab; do
	  $(GO) vet -tags "$$tags" ./...
	done
	echo 'building the linter (a few minutes the first time)'
	# Its cache remembers file names of the checkout that filled it.
	GOLANGCI_LINT_CACHE="$(CACHE)/lint/$$(pwd -P | cksum | cut -d' ' -f1)" $(GO) tool -modfile=test/tools/lint/go.mod golangci-lint run --timeout 10m

demo: ## the main job, on this machine: a site with real traffic, faults and a report (CATALOG=consul for a real Consul)
	$(ROOT) env CATALOG=$(CATALOG) GOFLAGS="$$($(GO) env GOFLAGS)" $(GO) run ./test/lab demo

lab: ## an interactive lab
	$(ROOT) $(GO) run ./test/lab shell

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./vrrp/... ./lvs/... ./discovery/... ./cmd/...

bench-vrrp: ## virtual routers beside keepalived's, in one run (about 12 minutes), as root
	$(ROOT) $(GO) run ./test/setup keepalived ip
	$(ROOT) $(GO) test -tags priv -count=1 -timeout 1h -run '^$$' -bench SideBySide -benchtime 1x ./vrrp/interop

soak: ## random faults for SOAK, race detector on, beside as long a time of random kills; as root
	$(ROOT) $(GO) run ./test/setup ip nft
	$(ROOT) $(GO) test -tags priv -count=1 -v -timeout 0 -run '^(TestSoak|TestRandomKills)$$' ./cmd/edgekeeper -chaos.soak $(SOAK) -chaos.kills $(SOAK)

fuzz: ## each fuzz target for FUZZTIME
	for pkg in $$($(GO) list ./...); do
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do
	    echo "== $$pkg $$f"
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg
	  done
	done

docs: ## write the generated parts of docs/
	$(GO) test ./cmd/edgekeeper/internal/config ./cmd/edgekeeper/internal/show ./cmd/edgekeeper/internal/metrics -update

clean: ## remove what was built here
	rm -rf bin test/lab/out
