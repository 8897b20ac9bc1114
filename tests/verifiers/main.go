// A verifier of Kluis logs that shares no code with Kluis: Go's own tlog and note packages (golang.org/x/mod/sumdb).
//
// One case a line on standard input (JSON), one answer a line on standard output: "ok", or "refused: " and why.
// Build (Debian: golang-go golang-golang-x-mod-dev): GO111MODULE=off GOPATH=/usr/share/gocode go build
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

// A claim is what somebody is shown: a checkpoint of the log that VKey and Origin name, and what is said about it.
// Leaf, Index and Proof: this entry stands there. Old and Tree: the log of this older checkpoint is its beginning.
// Tiles: a directory whose tile/ holds the whole log (C2SP tlog-tiles).
type claim struct {
	VKey   string
	Origin string
	Note   string
	Leaf   []byte
	Index  int64
	Proof  [][]byte
	Old    string
	Tree   [][]byte
	Tiles  string
}

func main() {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if fault := judge(line); fault != nil {
				fmt.Fprintf(out, "refused: %q\n", fault.Error())
			} else {
				fmt.Fprintln(out, "ok")
			}
		}
		if err != nil {
			return
		}
	}
}

func judge(line []byte) error {
	var told claim
	if err := json.Unmarshal(line, &told); err != nil {
		return err
	}
	head, err := open(told.Note, told)
	if err != nil {
		return err
	}
	if told.Tiles != "" {
		return whole(told.Tiles, head)
	}
	if err := member(head, told); err != nil {
		return err
	}
	if told.Old == "" {
		return nil
	}
	older, err := open(told.Old, told)
	if err != nil {
		return err
	}
	return grown(older, head, told)
}

// member checks the inclusion proof.
func member(head tlog.Tree, told claim) error {
	path, err := hashes(told.Proof)
	if err != nil {
		return err
	}
	if told.Index < 0 || told.Index >= head.N {
		return errors.New("no such entry")
	}
	return tlog.CheckRecord(path, head.N, head.Hash, told.Index, tlog.RecordHash(told.Leaf))
}

// grown checks the consistency proof.
func grown(older, head tlog.Tree, told claim) error {
	path, err := hashes(told.Tree)
	if err != nil {
		return err
	}
	if older.N < 1 || older.N > head.N {
		return errors.New("the log has shrunk")
	}
	return tlog.CheckTree(path, head.N, head.Hash, older.N, older.Hash)
}

// open verifies a signed note and reads the checkpoint in it (C2SP tlog-checkpoint).
func open(text string, told claim) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(told.VKey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(opened.Text, "\n", 4)
	if len(lines) != 4 || lines[0] != told.Origin || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("a checkpoint of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("no size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("no root")
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(*(*[tlog.HashSize]byte)(root))}, nil
}

// whole recomputes the root from every entry, and compares every entry with the hash tiles, which must lead to it too.
func whole(folder string, head tlog.Tree) error {
	var stored []tlog.Hash
	leaves, err := entries(folder, head.N)
	if err != nil {
		return err
	}
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return pick(stored, at) })
	for place, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(place), leaf, reader)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(head.N, reader)
	if err != nil {
		return err
	}
	if root != head.Hash {
		return errors.New("the entries are not those of the signed tree")
	}
	tiled := tlog.TileHashReader(head, shelf(folder))
	for place, leaf := range leaves {
		told, err := tiled.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(place))})
		if err != nil {
			return err
		}
		if told[0] != tlog.RecordHash(leaf) {
			return fmt.Errorf("entry %d is not in its tile", place)
		}
	}
	return nil
}

// entries reads all entry bundles: a 16-bit length before each entry.
func entries(folder string, size int64) ([][]byte, error) {
	var found [][]byte
	for first := int64(0); first < size; first += width {
		count := size - first
		if count > width {
			count = width
		}
		tile := tlog.Tile{H: height, L: -1, N: first / width, W: int(count)}
		bundle, err := os.ReadFile(filepath.Join(folder, place(tile)))
		if err != nil {
			return nil, err
		}
		for ; count > 0; count-- {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return nil, errors.New("a bundle ends too early")
			}
			end := 2 + int(bundle[0])<<8 + int(bundle[1])
			found, bundle = append(found, bundle[2:end]), bundle[end:]
		}
		if len(bundle) > 0 {
			return nil, errors.New("a bundle has too much")
		}
	}
	return found, nil
}

// shelf reads hash tiles for tlog, which verifies them.
type shelf string

func (s shelf) Height() int { return height }

func (s shelf) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(s), place(tile)))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, errors.New("a tile of another size")
		}
		found = append(found, data)
	}
	return found, nil
}

func (s shelf) SaveTiles([]tlog.Tile, [][]byte) {}

// place is the path of a tile: Go's own names carry the height, those of C2SP do not, and they say entries for data.
func place(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func pick(stored []tlog.Hash, at []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range at {
		found = append(found, stored[index])
	}
	return found, nil
}

func hashes(steps [][]byte) ([]tlog.Hash, error) {
	var path []tlog.Hash
	for _, step := range steps {
		if len(step) != tlog.HashSize {
			return nil, errors.New("a hash has 32 bytes")
		}
		path = append(path, tlog.Hash(*(*[tlog.HashSize]byte)(step)))
	}
	return path, nil
}
