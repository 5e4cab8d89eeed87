package filesystem

import (
	"strings"
	"sync"
	"time"
)

// readBuffers holds buffers for whole files. A file which fits is read by one
// system call and its value is copied out. The copy costs no more than zeroing
// a new slice before reading into it.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

const readBufferSize = 128 << 10

// load reads the entry of key, expired or not. The caller owns value.
func load(d *dir, name, key string) (value []byte, expires expiry, err error) {
	f, err := d.open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	n, err := f.read(buffer[:])
	if err != nil {
		return nil, 0, err
	}
	data := buffer[:n]
	h, err := parseHeader(data)
	if err != nil {
		return nil, 0, err
	}
	if h.size() > uint64(n) {
		return loadLarge(f, h, data, key)
	}
	value, err = h.value(data, key)
	if err != nil {
		return nil, 0, err
	}
	return append([]byte{}, value...), h.expires, nil
}

// loadLarge reads the rest of a file that begins with data into a new slice. A
// header that does not agree with the size of the file allocates nothing.
func loadLarge(f file, h header, beginning []byte, key string) ([]byte, expiry, error) {
	size, err := f.size()
	if err != nil {
		return nil, 0, err
	}
	if uint64(size) != h.size() {
		return nil, 0, errWrongLength
	}
	data := make([]byte, size)
	for n := copy(data, beginning); n < len(data); {
		m, err := f.read(data[n:])
		if err != nil {
			return nil, 0, err
		}
		if m == 0 {
			return nil, 0, errWrongLength
		}
		n += m
	}
	value, err := h.value(data, key)
	return value, h.expires, err
}

// exists reports whether there is a live entry of key. It trusts a modification
// time that is further in the future than FAT rounds times, and otherwise reads
// the file. A corrupt file is false with a nil error.
func exists(d *dir, name, key string) (bool, error) {
	const coarsest = 2 * time.Second
	mtime, err := d.mtime(name)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	if time.Until(mtime) > coarsest {
		return true, nil
	}
	_, expires, err := load(d, name, key)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	return !expires.expired(time.Now()), nil
}

// keyHasPrefix reports whether the file called name holds an entry whose key
// begins with prefix.
func keyHasPrefix(d *dir, name, prefix string) (bool, error) {
	f, err := d.open(name)
	if err != nil {
		return false, ignoreNotExist(ignoreCorrupt(err))
	}
	defer f.close()
	data := make([]byte, headerSize+len(prefix))
	n, err := f.read(data)
	if err != nil {
		return false, ignoreCorrupt(err)
	}
	h, err := parseHeader(data[:n])
	return err == nil && uint64(h.keyLen) >= uint64(len(prefix)) && strings.HasPrefix(string(data[headerSize:n]), prefix), nil
}
