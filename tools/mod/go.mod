module github.com/cachebackends/cachebackends/tools/mod

go 1.26.0

require (
	github.com/spf13/cobra v1.10.2
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e
	golang.org/x/mod v0.42.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace (
	github.com/cachebackends/cachebackends/conformance => ../../conformance
	github.com/cachebackends/cachebackends/core => ../../core
)
