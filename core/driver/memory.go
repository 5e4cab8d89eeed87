package driver

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const noMemoryLimit = math.MaxInt64

// memoryLimit returns the smallest limit on the memory of the process, or
// noMemoryLimit. root is the root of the file system.
func memoryLimit(root fs.FS) int64 {
	return min(debug.SetMemoryLimit(-1), cgroupLimit(root))
}

// cgroupLimit returns the smallest memory limit of the control groups of the process
// and of the groups that contain them.
func cgroupLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return noMemoryLimit // not Linux
	}
	limit := int64(noMemoryLimit)
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		// "0::/path" in version 2, "7:memory:/path" in version 1
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			limit = min(limit, smallestLimit(root, "sys/fs/cgroup", parts[2], "memory.max"))
		case hasElement(parts[1], "memory"):
			limit = min(limit, smallestLimit(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return limit
}

func hasElement(list, element string) bool {
	return strings.Contains(","+list+",", ","+element+",")
}

// smallestLimit reads the file of each group from the one at group up to mount. In a
// container group may be a path of the host, of which only the mount is visible.
func smallestLimit(root fs.FS, mount, group, file string) int64 {
	limit := int64(noMemoryLimit)
	for group = path.Join("/", group); ; group = path.Dir(group) {
		if text, err := fs.ReadFile(root, path.Join(mount, group, file)); err == nil {
			limit = min(limit, parseLimit(text))
		}
		if group == "/" {
			return limit
		}
	}
}

// parseLimit reads the limit of a group. Without a limit version 2 has "max", and
// version 1 a number near the largest.
func parseLimit(text []byte) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n >= 1<<60 {
		return noMemoryLimit
	}
	return n
}
