//go:build !gcs

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Google's client requires about 200 modules. A build for the other backends does
// not download them.
func init() {
	driver.Register(driver.Info{
		Types:   []string{"gcs"},
		Aliases: map[string]string{"GoogleCloudStorageCache": "gcs"},
		Open: func(context.Context, *driver.Settings) (driver.Backend, error) {
			return nil, fmt.Errorf("%w: CACHE_TYPE: this cachectl was built without gcs: go install -tags gcs", driver.ErrInvalidSettings)
		},
	})
}

// builtBackends returns the values of CACHE_TYPE that this binary opens.
func builtBackends() []string {
	return slices.DeleteFunc(driver.Types(), func(name string) bool { return name == "gcs" })
}
