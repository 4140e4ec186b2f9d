// Package certs makes the keys of a cluster that lives for a test: one authority, a certificate for each component,
// and the key that signs service account tokens.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const validity = 5 * 365 * 24 * time.Hour

// The API server's names, as a pod may call it.
var apiServerNames = []string{
	"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leaf is what a certificate is for: Kubernetes reads the user from the common name, groups from the organisation.
type leaf struct {
	file   string
	user   string
	groups []string
	names  []string
	ips    []net.IP
}

// Run writes the files into a folder: `certs DIRECTORY --node NAME --addresses IP,IP`.
func Run(args []string) error {
	flags := flag.NewFlagSet("certs", flag.ContinueOnError)
	node := flags.String("node", "sparsedm", "name of the node")
	addresses := flags.String("addresses", "127.0.0.1", "addresses the servers are reached at, separated by commas")
	if len(args) == 0 {
		return errors.New("name the folder to write to")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ips, err := parseAddresses(*addresses)
	if err != nil {
		return err
	}
	dir := args[0]
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := issueAll(dir, *node, ips); err != nil {
		return err
	}
	return writeTokenKey(dir)
}

func issueAll(dir, node string, ips []net.IP) error {
	ca, err := newAuthority(dir, "ca", "sparsedm")
	if err != nil {
		return err
	}
	for _, l := range leaves(node, ips) {
		if err := ca.issue(dir, l); err != nil {
			return err
		}
	}
	// Aggregated APIs trust the API server by an authority of its own, so that no user's certificate can pose as it.
	frontProxy, err := newAuthority(dir, "front-proxy-ca", "sparsedm-front-proxy")
	if err != nil {
		return err
	}
	return frontProxy.issue(dir, leaf{file: "front-proxy-client", user: "front-proxy-client"})
}

func leaves(node string, ips []net.IP) []leaf {
	return []leaf{
		{file: "apiserver", user: "kube-apiserver", names: apiServerNames, ips: ips},
		{file: "apiserver-kubelet-client", user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		{file: "admin", user: "sparsedm-admin", groups: []string{"system:masters"}},
		{file: "controller-manager", user: "system:kube-controller-manager"},
		{file: "scheduler", user: "system:kube-scheduler"},
		{file: "kubelet", user: "system:node:" + node, groups: []string{"system:nodes"}, names: []string{node}, ips: ips},
		{file: "kube-proxy", user: "system:kube-proxy"},
		{file: "coredns", user: "system:coredns"},
		{file: "provisioner", user: "system:provisioner"},
	}
}

func parseAddresses(list string) ([]net.IP, error) {
	var ips []net.IP
	for text := range strings.SplitSeq(list, ",") {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, fmt.Errorf("%q is not an IP address", text)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

func newAuthority(dir, file, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := newTemplate(pkix.Name{CommonName: name})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert, key}, writePair(dir, file, der, key)
}

func (a *authority) issue(dir string, l leaf) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := newTemplate(pkix.Name{CommonName: l.user, Organization: l.groups})
	template.DNSNames = l.names
	template.IPAddresses = l.ips
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePair(dir, l.file, der, key)
}

func newTemplate(subject pkix.Name) *x509.Certificate {
	// 64 random bits: serial numbers must differ, for clients refuse two certificates of one issuer that share one.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		panic(err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		// An hour back, for clocks that were set while the cluster ran.
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(validity),
	}
}

func writeTokenKey(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", public, 0o644); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "sa.key"), key)
}

func writePair(dir, file string, der []byte, key *ecdsa.PrivateKey) error {
	if err := writePEM(filepath.Join(dir, file+".crt"), "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, file+".key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
