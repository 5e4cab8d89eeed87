//go:build gcs

package main

import (
	"github.com/cachebackends/cachebackends/core/driver"
	_ "github.com/cachebackends/cachebackends/gcs"
)

// builtBackends returns the values of CACHE_TYPE that this binary opens.
func builtBackends() []string { return driver.Types() }
