// Command apiserver runs a real Kubernetes API server with its etcd in one process, for charts to be admitted by: no
// node, no controller, no root. It keeps everything in one folder, listens on loopback alone, writes DIR/kubeconfig when
// it is ready, and ends by SIGTERM.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:%d", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "%s"}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: apiserver DIR")
	}
	dir, err := filepath.Abs(os.Args[1])
	must(err)
	must(os.MkdirAll(dir, 0o700))

	store := startEtcd(filepath.Join(dir, "etcd"))
	defer store.Close()

	key, token, port := filepath.Join(dir, "accounts.key"), randomToken(), freePort()
	writeKey(key)
	write(filepath.Join(dir, "tokens.csv"), token+",admin,admin,system:masters\n")
	write(filepath.Join(dir, "kubeconfig"), fmt.Sprintf(kubeconfig, port, token))

	server := app.NewAPIServerCommand()
	server.SetArgs([]string{
		"--etcd-servers=" + store.Config().ListenClientUrls[0].String(),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + filepath.Join(dir, "certs"),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC", "--token-auth-file=" + filepath.Join(dir, "tokens.csv"),
		"--service-account-issuer=https://test", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
		// No controller makes service accounts here.
		"--disable-admission-plugins=ServiceAccount",
	})
	os.Exit(cli.Run(server))
}

func startEtcd(dir string) *embed.Etcd {
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.UnsafeNoFsync = dir, "error", true
	client, peer := loopback(), loopback()
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	store, err := embed.StartEtcd(config)
	must(err)
	select {
	case <-store.Server.ReadyNotify():
		return store
	case <-time.After(time.Minute):
		log.Fatal("etcd was not ready within a minute")
		return nil
	}
}

func loopback() url.URL {
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", freePort())}
}

// freePort is free when asked; that another program takes it in between fails the start, loudly.
func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func randomToken() string {
	bytes := make([]byte, 16)
	_, err := rand.Read(bytes)
	must(err)
	return hex.EncodeToString(bytes)
}

func writeKey(path string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	write(path, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

func write(path, text string) { must(os.WriteFile(path, []byte(text), 0o600)) }

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
