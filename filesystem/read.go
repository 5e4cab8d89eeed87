package filesystem

import (
	"strings"
	"sync"
	"time"
)

// scratch holds the files that are read. A file that fits is read by one call and
// its value copied out, which costs no more than the zeros that memory of its own
// would have to be filled with before it is read into.
var scratch = sync.Pool{New: func() any { return new([scratchSize]byte) }}

const scratchSize = 128 << 10

// load reads the entry of key, expired or not.
func load(d *dir, name, key string) (value []byte, expires deadline, err error) {
	f, err := d.open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.close()
	buffer := scratch.Get().(*[scratchSize]byte)
	defer scratch.Put(buffer)
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
		return loadLong(f, h, data, key)
	}
	value, err = h.value(data, key)
	if err != nil {
		return nil, 0, err
	}
	return append([]byte{}, value...), h.expires, nil
}

// loadLong reads what follows beginning straight into memory of its own. The
// header must agree with the size of the file before it is believed.
func loadLong(f file, h header, beginning []byte, key string) ([]byte, deadline, error) {
	size, err := f.size()
	if err != nil {
		return nil, 0, err
	}
	if uint64(size) != h.size() {
		return nil, 0, errCut
	}
	data := make([]byte, size)
	for n := copy(data, beginning); n < len(data); {
		m, err := f.read(data[n:])
		if err != nil {
			return nil, 0, err
		}
		if m == 0 {
			return nil, 0, errCut
		}
		n += m
	}
	value, err := h.value(data, key)
	return value, h.expires, err
}

// alive reports whether there is an entry of key that has not expired. It
// believes a modification time that is well ahead, and otherwise the file.
func alive(d *dir, name, key string) (bool, error) {
	const coarsest = 2 * time.Second // how FAT rounds times
	mtime, err := d.mtime(name)
	if err != nil {
		return false, ignoreDamage(err)
	}
	if time.Until(mtime) > coarsest {
		return true, nil
	}
	_, expires, err := load(d, name, key)
	if err != nil {
		return false, ignoreDamage(err)
	}
	return !expires.expired(time.Now()), nil
}

// keyBegins reports whether name is an entry whose key begins with prefix.
func keyBegins(d *dir, name, prefix string) (bool, error) {
	f, err := d.open(name)
	if err != nil {
		return false, ignoreAbsence(ignoreDamage(err))
	}
	defer f.close()
	data := make([]byte, headerSize+len(prefix))
	n, err := f.read(data)
	if err != nil {
		return false, ignoreDamage(err)
	}
	h, err := parseHeader(data[:n])
	return err == nil && uint64(h.keyLen) >= uint64(len(prefix)) && strings.HasPrefix(string(data[headerSize:n]), prefix), nil
}
