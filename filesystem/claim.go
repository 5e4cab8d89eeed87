package filesystem

// claim renames temp to name, and fails with fs.ErrExist if name exists. It makes a
// hard link. On a file system without them, such as FAT and many mounts of object
// stores, it creates name first: for a moment name is an empty file, which is an absent
// entry for readers and for other hosts. The lock of the fan-out directory excludes other
// writers of this machine.
func (d *dir) claim(temp, name string) error {
	if !d.noLinks.Load() {
		err := d.link(temp, name)
		switch {
		case err == nil:
			d.remove(temp)
			return nil
		case !hasNoLinks(err):
			return d.fail("link", name, err)
		}
		d.noLinks.Store(true)
	}
	f, err := d.create(name, 0o600)
	if err != nil {
		return err
	}
	f.close()
	if err = d.rename(temp, name); err != nil {
		d.remove(name)
	}
	return err
}
