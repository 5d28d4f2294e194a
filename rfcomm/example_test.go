package rfcomm_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/rfcomm"
)

// A question and its answer over channel 1 of a device that is paired already.
// This needs a radio, so that it is compiled and not run.
func ExampleDial() {
	address, err := bdaddr.Parse("00:0B:CE:07:1D:32")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := rfcomm.Dial(ctx, rfcomm.Addr{Address: address, Channel: 1}, nil)
	switch {
	case errors.Is(err, rfcomm.ErrAbsent):
		log.Fatal("switch it on, or bring it nearer: ", err)
	case errors.Is(err, rfcomm.ErrKeyRefused):
		log.Fatal("pair with it again: ", err)
	case err != nil:
		log.Fatal(err)
	}
	defer conn.Close()

	// A device that falls silent gives no error at all.
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, "<?>"); err != nil {
		log.Fatal(err)
	}
	answer, err := bufio.NewReader(conn).ReadString('>')
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
}

// The name of a device says that it is there, without the risk of a connect
// that fails.
func ExamplePresent() {
	address, err := bdaddr.Parse("00:0B:CE:07:1D:32")
	if err != nil {
		log.Fatal(err)
	}
	name, err := rfcomm.Present(context.Background(), bdaddr.Address{}, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
}
