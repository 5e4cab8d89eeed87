package main

import (
	"strings"
	"testing"
)

func TestRename(t *testing.T) {
	r := newClone(t)
	r.mod("rename", "codeberg.org/ada/aardvark").want(t, 0, "is codeberg.org/ada/aardvark now")
	r.mod("verify").want(t, 0)
	r.exec("go", "vet", "./core/...", "./null/...", "./conformance/integration/...")
	if out := r.exec("gofmt", "-l", "core", "null", "conformance"); out != "" {
		t.Errorf("no longer formatted: %s", out)
	}
	if text := r.read("null/go.mod"); !strings.HasPrefix(text, "module codeberg.org/ada/aardvark/null\n") ||
		!strings.Contains(text, "replace codeberg.org/ada/aardvark/core => ../core\n") {
		t.Errorf("null/go.mod:\n%s", text)
	}
}

// Imports and requirements are in the order of the new path, other paths that
// only begin like the old one stay, and so do files that git does not track.
func TestRenameWords(t *testing.T) {
	r := newRepository(t)
	r.write(".gitignore", "*.log\n")
	r.write("simple/more.go", "package simple\n\nimport (\n\t_ \""+scratchRoot+"/core\"\n\t_ \"os\"\n)\n")
	r.write("simple/README.md", "`"+scratchRoot+"` https://"+scratchRoot+"/simple. "+scratchRoot+"-go/x "+scratchRoot+"\n")
	r.write("tools/demo/go.mod", "module "+scratchRoot+"/tools/demo\n\nrequire (\n\t"+scratchRoot+"/core v0.1.0\n\tgithub.com/x/y v1.0.0\n)\n")
	r.commit("More")
	r.write("core/build.log", scratchRoot)
	o := r.mod("rename", "zombie.org/caches")
	o.want(t, statusFinding, "simple/README.md:1 still has example.com/caches: ", "-go/x")
	if strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("found more than what is left:\n%s", o.stdout)
	}
	for name, want := range map[string]string{
		"simple/more.go":    "import (\n\t_ \"os\"\n\t_ \"zombie.org/caches/core\"\n)\n",
		"simple/README.md":  "`zombie.org/caches` https://zombie.org/caches/simple. example.com/caches-go/x zombie.org/caches\n",
		"core/build.log":    scratchRoot,
		"tools/demo/go.mod": "require (\n\tgithub.com/x/y v1.0.0\n\tzombie.org/caches/core v0.1.0\n)\n",
	} {
		if got := r.read(name); !strings.HasSuffix(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// The end of the old path alone, as in the address of a badge, is found.
func TestRenameLeftover(t *testing.T) {
	r := newRepository(t)
	r.write("simple/README.md", "# simple\n\n![](https://badges.example.net/Example.com/Caches.svg)\n")
	r.commit("A badge")
	r.mod("rename", "zombie.org/caches").want(t, statusFinding, "simple/README.md:3 still has example.com/caches: ![](https")
}

func TestRenameRefuses(t *testing.T) {
	r := newRepository(t)
	r.mod("rename", "no path").want(t, statusFault, "malformed")
	r.mod("rename", scratchRoot+"/v2").want(t, statusFault, "one is inside of the other")
	r.mod("rename", "example.com").want(t, statusFault, "one is inside of the other")
	r.write("core/new.go", "package cache\n")
	r.mod("rename", "zombie.org/caches").want(t, statusFinding, "?? core/new.go")
	if text := r.read("core/go.mod"); !strings.Contains(text, scratchRoot) {
		t.Errorf("a refusal rewrote core/go.mod:\n%s", text)
	}
}
