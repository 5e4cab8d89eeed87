package main

import "testing"

func TestTypes(t *testing.T) {
	r := newRepository(t)
	t.Setenv("GOFLAGS", "") // the go command does not take -mod=mod where there is a go.work
	r.mod("types", "linux/386", "windows/amd64").want(t, 0)
	r.write("simple/one.go", "package simple\n\nimport (\n\t\"math\"\n\t\"syscall\"\n)\n\nvar large int = math.MaxInt64\n\nvar null = syscall.Stdin\n")
	r.write("simple/two_linux.go", "package simple\n\nvar null int\n")
	r.write("tools/demo/three.go", "package main\n\nvar unknown = unknowable\n") // nobody imports it
	r.mod("types", "linux/386", "windows/amd64").want(t, statusFindings,
		"simple/one.go:8:17: cannot use math.MaxInt64 (untyped int constant 9223372036854775807) as int value in variable declaration (overflows) (linux/386)",
		"simple/two_linux.go:3:5: null redeclared in this block (linux/386)")
	r.mod("types", "linux").want(t, statusFailed, "linux: want GOOS/GOARCH")
}
