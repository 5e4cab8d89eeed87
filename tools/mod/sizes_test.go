package main

import (
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	const client = "example.org/client"
	modcache(t, map[string]map[string]string{client + "@v1.0.0": outside(client, "")})
	defer func(before []peer) { peers = before }(peers)
	peers = []peer{{"redis", client, "v1.0.0", `_ "` + client + `"`, `fmt.Println(ctx)`}}
	r := newPublished(t)
	r.write("README.md", "# Caches\n\n"+sizesBegin+"old\n"+sizesEnd+"The end.\n")
	r.mod("check", "simple").want(t, statusFindings, "simple: README.md lacks the row | simple | 2 |")
	r.mod("sizes", "--write").want(t, 0)
	r.mod("check", "simple", "redis").want(t, 0)
	readme := r.read("README.md")
	if !strings.HasPrefix(readme, "# Caches\n\n"+sizesBegin+"| a program over |") || !strings.HasSuffix(readme, sizesEnd+"The end.\n") || strings.Contains(readme, "old") {
		t.Errorf("README.md is\n%s", readme)
	}
	r.mod("sizes").want(t, 0, "| redis | 2 | 0.00 MB | ", "| *example.org/client@v1.0.0* | 1 | 0.00 MB | ")
	r.write("README.md", "# Caches\n")
	r.mod("sizes", "--write").want(t, statusFailed, "README.md has no lines <!-- sizes --> and <!-- /sizes -->")
}
