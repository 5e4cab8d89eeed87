"""With "write VERSION" it prints the files that cachelib's FileSystemCache makes: version,
hash method, key, file name and hexadecimal content in each line. With "serve DIR" it
executes statements on a FileSystemCache called c, one per line of its input, and prints
the repr of the result of each."""
import hashlib, os, sys, tempfile

import cachelib.file
from cachelib import FileSystemCache

values = {
    "none": None, "text": "é", "bytes": b"\x00\xff", "int": 5, "negative": -70000, "large": 2**63 - 1, "larger": 2**63,
    "bool": True, "dict": {"a": [1, None, 1.5]}, "key with\nlines/é": "x",
}

if sys.argv[1] == "write":
    cachelib.file.time = lambda: 4e9  # in 2096
    for method in hashlib.md5, hashlib.sha256:
        for key, value in list(values.items()) + [("life", "ends in 2096")]:
            with tempfile.TemporaryDirectory() as dir:
                cache = FileSystemCache(dir, threshold=0, hash_method=method)
                cache.set(key, value, timeout=60 if key == "life" else 0)
                (name,) = os.listdir(dir)
                data = open(os.path.join(dir, name), "rb").read()
                print(sys.argv[2], method().name, repr(key.encode())[2:-1], name, data.hex(), sep="\t")
        with tempfile.TemporaryDirectory() as dir:
            cache = FileSystemCache(dir, threshold=5, hash_method=method)
            cache.set("k", 1)
            name = cache._get_filename(cache._fs_count_file)
            print(sys.argv[2], method().name, cache._fs_count_file, os.path.basename(name), open(name, "rb").read().hex(), sep="\t")
else:
    c = FileSystemCache(sys.argv[2], threshold=10)
    for line in sys.stdin:
        print(repr(eval(line)), flush=True)
