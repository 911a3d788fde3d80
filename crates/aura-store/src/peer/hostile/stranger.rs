// SPDX-License-Identifier: MIT OR Apache-2.0
//! Devices that are not listed, or not any more, and what they may learn: nothing. Source: spec/peer.md, PEE-1 to PEE-4.

use super::*;

/// PEE-3, attack DEV-01: a device that is not listed is told nothing, also if it knows the vault; nor is one told anything
/// that is called.
#[test]
fn pee_3_a_stranger_is_told_nothing() {
    let mut scene = Scene::new();
    scene.serves_on();
    let stranger = Author::stranger(&mut scene.seed, scene.nora.vault());
    let (caller, store) = scene.reached_by(&stranger);
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    // A whole history of its own does not help.
    let (mut elsewhere, genesis) = Author::founder(&mut scene.seed);
    let push = pollster::block_on(store.push(&scene.access(), &elsewhere.head(), &[genesis]));
    assert!(is_out(&push.unwrap_err()));

    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
    scene.serves_on();
}

/// PEE-3: who is called is one of the vault's, but not the one that was meant.
#[test]
fn pee_3_another_device_is_not_the_one_that_was_meant() {
    let mut scene = Scene::new();
    let (tablet, add) = scene.nora.pair(&mut scene.seed);
    scene.keeps(&[add]);
    let there = node(&scene.ada, scene.nora.vault(), Anybody(scene.nora.device()));
    let place = there.address().unwrap().to_string();
    let asked = |device| {
        let store = PeerStore::new(&scene.node, device, vec![place.clone()], Box::new(|| 1_000));
        pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err()
    };
    let error = asked(tablet.device());
    assert!(matches!(error, StoreError::OtherKey), "{error:?}");
    // The one that is there has no store, and says so itself.
    let error = asked(scene.ada.device());
    assert!(!matches!(error, StoreError::OtherKey), "{error:?}");
}

/// A key that somebody else has.
struct Borrowed(Author, Author);

impl Greeter for Borrowed {
    fn transport(&self) -> [u8; 32] {
        self.0.transport_key()
    }

    fn greet(&self, message: &[u8]) -> Option<Signature> {
        Some(self.1.greet(message))
    }
}

/// PEE-2, attack DEV-01: a key that is listed and shown, and not proved.
#[test]
fn pee_2_a_key_is_proved() {
    let mut scene = Scene::new();
    let stranger = Author::stranger(&mut scene.seed, scene.nora.vault());
    let (vault, device) = (scene.nora.vault(), scene.nora.device());
    let greeter = Arc::new(Borrowed(scene.ada.clone(), stranger));
    let listen = Listen::At("127.0.0.1:0".parse().unwrap());
    let source = Arc::new(Anybody(device));
    let thief = Node::open(vault, greeter, source, Box::new(fill), listen).unwrap();
    let store = PeerStore::new(&thief, device, vec![scene.place()], Box::new(|| 1_000));
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    let place = thief.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
}

/// PEE-3: with every question it is looked whether its device is still one of the vault's.
#[test]
fn pee_3_every_question_is_judged() {
    let mut scene = Scene::new();
    let (_caller, line) = {
        let there = node(&scene.ada, scene.nora.vault(), Anybody(scene.nora.device()));
        let (inner, place) = (Arc::clone(&scene.node.inner), there.address().unwrap().to_string());
        let called = async move { inner.call(&place, None).await.map(|(_, line)| line) };
        let inner = Arc::clone(&scene.node.inner);
        (there, pollster::block_on(inner.run(called)).unwrap())
    };
    let house = crate::peer::serve::House::new(
        scene.nora.vault(),
        Arc::new(Real(Arc::clone(&scene.local))),
    );
    assert!(house.local_for(&line).is_some());
    let revoke = scene.nora.revoke(scene.ada.device(), Vec::new());
    scene.keeps(&[revoke]);
    assert!(house.local_for(&line).is_none());
}

/// PEE-1: whoever may have a false address is asked to prove it first, and sent no more than they sent.
#[test]
fn pee_1_an_address_is_proved_first() {
    let scene = Scene::new();
    let ear = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let valid = tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    let (at, name) = (ear.local_addr().unwrap(), named(&scene));
    scene.runtime.spawn(async move { call(at, valid, &name).await });
    let mut packet = [0; 2048];
    let length = ear.recv(&mut packet).unwrap();
    let liar = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    liar.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    liar.send_to(&packet[..length], scene.node.address().unwrap()).unwrap();
    let mut answer = [0; 2048];
    let answered = liar.recv(&mut answer).unwrap();
    assert_eq!(answer[0] & 0xf0, 0xf0, "a Retry packet (RFC 9000, 17.2.5)");
    assert!(answered < length);
}

/// PEE-3: this device's own key, in a copy of its folder, is nobody's to speak with.
#[test]
fn pee_3_a_copy_of_oneself_is_refused() {
    let scene = Scene::new();
    let (caller, store) = scene.reached_by(&scene.nora);
    // It refuses itself as well.
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(matches!(error, StoreError::OtherKey), "{error:?}");
    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
}

/// PEE-3, PEE-4: a device of another vault does not come as far as to see a key, and its own key opens nothing.
#[test]
fn pee_4_another_vaults_device_is_refused() {
    let mut scene = Scene::new();
    let (other, _) = Author::founder(&mut scene.seed);
    let device = scene.nora.device();
    let caller = node(&other, other.vault(), Anybody(device));
    let met = pollster::block_on(caller.meet(&scene.place()));
    assert_eq!(met, Err(Fault::Problem(Problem::new(ProblemKind::Unauthenticated))));
    let (_caller, store) = scene.reached_by(&other);
    let error = pollster::block_on(store.heads(&scene.access(), &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    scene.serves_on();
}

/// PEE-3, attack DEV-01: a revoke ends the revoked device's connections, and it makes no other ones.
#[test]
fn pee_3_a_revoke_ends_connections() {
    let mut scene = Scene::new();
    let (caller, store) = scene.reached_by(&scene.ada);
    let (store, access) = (Arc::new(store), scene.access());
    let heads = pollster::block_on(store.heads(&access, &[])).unwrap().news;
    let known: Vec<_> =
        heads.iter().map(|head| (head.device, head.incarnation, head.position)).collect();
    let watching = {
        let (store, access) = (Arc::clone(&store), access.clone());
        std::thread::spawn(move || {
            let begun = Instant::now();
            (pollster::block_on(store.watch(&access, &known, 60_000)), begun.elapsed())
        })
    };
    std::thread::sleep(Duration::from_millis(300));
    let revoke = scene.nora.revoke(scene.ada.device(), Vec::new());
    scene.keeps(&[revoke]);
    let (watched, took) = watching.join().unwrap();
    assert!(is_out(&watched.unwrap_err()), "and it is not told of the revoke there");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let error = pollster::block_on(store.heads(&access, &[])).unwrap_err();
    assert!(is_out(&error), "{error:?}");
    let place = caller.address().unwrap().to_string();
    assert_eq!(pollster::block_on(scene.node.meet(&place)), Err(Fault::OtherKey));
}

/// PEE-3: who joins with another device's key as its own is not taken for it, nor is that one shut out when the thief is;
/// a revoked device's key opens nothing, whoever lists it later.
#[test]
fn pee_3_a_key_is_its_first_devices() {
    let mut scene = Scene::new();
    let holder = |scene: &Scene, author: &Author| scene.local.holder(&author.transport_key());
    let copies = |scene: &mut Scene, victim: &Author| {
        let stranger = Author::stranger(&mut scene.seed, scene.nora.vault());
        let (thief, add) = scene.nora.lists(victim.posing_as(&stranger));
        scene.keeps(&[add]);
        assert_eq!(thief.transport_key(), victim.transport_key());
        assert_ne!(thief.device(), victim.device());
        thief
    };
    let ada = scene.ada.clone();
    let thief = copies(&mut scene, &ada);
    assert_eq!(holder(&scene, &ada).unwrap(), Some(ada.device()));
    let revoke = scene.nora.revoke(thief.device(), Vec::new());
    scene.keeps(&[revoke]);
    assert_eq!(holder(&scene, &ada).unwrap(), Some(ada.device()));
    scene.serves_on();
    let revoke = scene.nora.revoke(ada.device(), Vec::new());
    scene.keeps(&[revoke]);
    assert_eq!(holder(&scene, &ada).unwrap(), None);
    copies(&mut scene, &ada);
    assert_eq!(holder(&scene, &ada).unwrap(), None);
}

/// PEE-3: a line on which nothing is asked is closed as well.
#[test]
fn pee_3_a_revoke_ends_a_silent_line() {
    let mut scene = Scene::new();
    let (_caller, line) = scene.line();
    let revoke = scene.nora.revoke(scene.ada.device(), Vec::new());
    std::thread::sleep(Duration::from_millis(300));
    assert!(line.close_reason().is_none());
    scene.keeps(&[revoke]);
    let closed = async { tokio::time::timeout(Duration::from_secs(5), line.closed()).await };
    let closed = scene.runtime.block_on(closed).unwrap();
    let is_out = matches!(closed, quinn::ConnectionError::ApplicationClosed(close) if close.error_code == crate::peer::serve::OUT);
    assert!(is_out);
}

/// PEE-1, PEE-2: no key, a certificate, another protocol: nothing is answered.
#[test]
fn pee_2_without_a_listed_key_nothing_is_answered() {
    let scene = Scene::new();
    let verifier = Arc::new(Gullible::default());
    let mut bare = gullible(&verifier).with_no_client_auth();
    bare.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(bare, &named(&scene)));

    let made = rcgen::generate_simple_self_signed(vec!["aura".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut certified =
        gullible(&verifier).with_client_auth_cert(vec![made.cert.der().clone()], key).unwrap();
    certified.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(certified, &named(&scene)));

    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let valid = || tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    for protocol in [&b"aura-peer/2"[..], b"h3", b""] {
        let mut other = valid();
        other.alpn_protocols = vec![protocol.to_vec()];
        other.alpn_protocols.retain(|protocol| !protocol.is_empty());
        assert!(!scene.answers(other, &named(&scene)), "{protocol:?}");
    }
    assert!(scene.answers(valid(), &named(&scene)));
}

/// PEE-4, attack TRF-06: who does not know the vault sees no key, and a name that was seen is of no use.
#[test]
fn pee_4_a_stranger_sees_no_key() {
    let mut scene = Scene::new();
    let verifier = Arc::new(Gullible::default());
    let stranger: Arc<dyn Greeter> =
        Arc::new(Card(Author::stranger(&mut scene.seed, scene.nora.vault())));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let probe = || {
        let judge = tls::Judge::new(&anybody, [0; 32], None);
        let resolver = tls::client(&stranger, judge).unwrap().client_auth_cert_resolver;
        let mut probe = gullible(&verifier).with_client_cert_resolver(resolver);
        probe.alpn_protocols = vec![ALPN.to_vec()];
        probe
    };
    let other = tls::name(VaultId([9; 32]), &scene.seed.array());
    for name in ["localhost", "p00", &other] {
        assert!(!scene.answers(probe(), name));
        assert!(lock(&verifier.shown).is_none(), "{name}");
    }
    // A device calls; somebody on the way sees under what name.
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let valid = tls::client(&greeter, tls::Judge::new(&anybody, [0; 32], None)).unwrap();
    let name = named(&scene);
    assert!(scene.answers(valid, &name));
    assert!(!scene.answers(probe(), &name));
    assert!(lock(&verifier.shown).is_none());
    // One who knows the vault sees a key, and gets no further.
    assert!(!scene.answers(probe(), &named(&scene)));
    assert_eq!(
        lock(&verifier.shown).as_deref().and_then(tls::key_of),
        Some(scene.nora.transport_key())
    );
}

/// PEE-1: without the one key exchange there is no connection.
#[test]
fn pee_1_there_is_one_key_exchange() {
    let scene = Scene::new();
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let judge = tls::Judge::new(&anybody, [0; 32], None);
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    let mut weaker = tls::client(&greeter, Arc::clone(&judge)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(judge);
    let resolver = Arc::clone(&weaker.client_auth_cert_resolver);
    weaker = builder.with_client_cert_resolver(resolver);
    weaker.alpn_protocols = vec![ALPN.to_vec()];
    assert!(!scene.answers(weaker, &named(&scene)));
}
