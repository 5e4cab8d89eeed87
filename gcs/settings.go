package gcs

import (
	"context"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
)

func init() {
	driver.Register(driver.Info{
		Types:       []string{"gcs"},
		Aliases:     map[string]string{"GoogleCloudStorageCache": "gcs"},
		Settings:    settings{},
		FlaskPrefix: "flask_cache_",
		Open:        open,
	})
}

// settings can name a ready client instead of an endpoint.
type settings struct {
	Options
	Client *storage.Client `setting:"CACHE_GCS_ENDPOINT"`
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	if err := s.Check(&given.Options); err != nil {
		return nil, err
	}
	if given.Client != nil {
		return NewFromClient(given.Client, given.Options)
	}
	return New(ctx, given.Options)
}
