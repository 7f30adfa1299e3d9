package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/lab/guest"
)

func main() {
	if guest.IsInit() {
		guest.Init()
	}
	if len(os.Args) > 1 && os.Args[1] == "hello" {
		fmt.Println("hello", os.Getenv("LAB_BOOT_SECONDS"))
		b, _ := os.ReadFile("/proc/uptime")
		fmt.Println(string(b))
		os.Exit(3)
	}
	cache, _ := binaries.Cache()
	log := func(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
	self, err := binaries.Lab(context.Background(), log)
	fmt.Println(self, err)
	t := time.Now()
	code, err := guest.Run(context.Background(), guest.Spec{Args: []string{"hello"}, Env: os.Environ(), Lab: self, Dir: "/work/main", Out: "/work/main/test/lab/out", Cache: cache, Limit: time.Minute}, os.Stdout, log)
	fmt.Println(code, err, time.Since(t))
}
