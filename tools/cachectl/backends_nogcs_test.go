//go:build !gcs

package main

import (
	"strings"
	"testing"
)

func TestWithoutGCS(t *testing.T) {
	got := call([]string{"CACHE_TYPE=GoogleCloudStorageCache", "CACHE_GCS_BUCKET=b"}, "get", "k")
	if got.status != statusUsage || !strings.Contains(got.stderr, "-tags gcs") {
		t.Errorf("got %+v; want a hint at the build tag", got)
	}
	if got := call(nil, "version"); strings.Contains(got.stdout, "gcs") {
		t.Errorf("version lists gcs: %+v", got)
	}
}
