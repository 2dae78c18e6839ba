// Command modelarts makes one call with package modelarts. Its size and its time are what is measured.
package main

import (
	"context"
	"log"
	"os"

	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
)

func main() {
	client, err := ours.New(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Get(context.Background()); err != nil {
		log.Fatal(err)
	}
}
