package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
)

type gcsInspector struct {
	addr   string
	bucket *storage.BucketHandle
}

func inspectGcs(t *testing.T, addr string) inspector {
	client, err := storage.NewClient(t.Context(), option.WithEndpoint("http://"+addr+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return gcsInspector{addr, client.Bucket(gcsBucket)}
}

func (g gcsInspector) delete(t *testing.T, key string) { g.bucket.Object(key).Delete(t.Context()) }

func (g gcsInspector) ttl(t *testing.T, key string) time.Duration {
	attrs, err := g.bucket.Object(key).Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(attrs.CustomTime)
}

func (g gcsInspector) executed(t *testing.T, op string) int {
	res, err := http.Get("http://" + g.addr + "/executed")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var gets, sets int
	if _, err := fmt.Fscan(res.Body, &gets, &sets); err != nil {
		t.Fatal(err)
	}
	return map[string]int{"get": gets, "set": sets}[op]
}
