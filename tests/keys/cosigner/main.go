// Cosignatures by another program: github.com/transparency-dev/formats over golang.org/x/mod/sumdb/note.
//
//	cosigner open LOG_VKEY WITNESS_VKEY   reads a note, prints "name hash time" of the witness's good line
//	cosigner sign LOG_VKEY WITNESS_SKEY   reads a note, prints it with the witness's line added
package main

import (
	"fmt"
	"io"
	"os"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	text := must(io.ReadAll(os.Stdin))
	log := must(note.NewVerifier(os.Args[2]))
	if os.Args[1] == "sign" {
		opened := must(note.Open(text, note.VerifierList(log)))
		signer := must(cosignature.NewSignerForCosignatureV1(os.Args[3]))
		fmt.Print(string(must(note.Sign(opened, signer))))
		return
	}
	witness := must(cosignature.NewVerifierForCosignatureV1(os.Args[3]))
	opened := must(note.Open(text, note.VerifierList(log, witness)))
	for _, line := range opened.Sigs {
		if line.Hash == witness.KeyHash() {
			fmt.Println(line.Name, line.Hash, must(cosignature.CoSigV1Timestamp(line)).Unix())
		}
	}
}
