//go:build !gcs

package main

import (
	"context"
	"fmt"

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
