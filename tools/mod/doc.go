// Mod is the release tool: it checks the modules of this repository, tries them
// as a user would get them, proposes versions and makes tags.
package main
