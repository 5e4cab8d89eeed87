package remote

// Append appends a value that may have been read into the unused capacity of dst: then it
// copies nothing. If dst is empty and too short, it returns value itself, which must not
// be used elsewhere. It is for implementations of
// [driver.Appender].
func Append(dst, value []byte) []byte {
	free := dst[len(dst):cap(dst)]
	switch {
	case len(value) > len(free) && len(dst) == 0:
		return value
	case len(value) > 0 && len(value) <= len(free) && &value[0] == &free[0]:
		return dst[:len(dst)+len(value)]
	}
	return append(dst, value...)
}
