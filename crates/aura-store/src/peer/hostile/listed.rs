// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listed devices that do not keep to the protocol. Source: spec/peer.md, PEE-5 to PEE-8.

use super::*;

/// PEE-5, PEE-7, attack AVL-04: whatever a listed device says, it is refused in words or not at all, and the others are served.
#[test]
fn pee_5_noise_is_refused_and_no_panic() {
    let mut scene = Scene::new();
    let (_caller, line) = scene.line();
    let refused = |code: &str, bytes: &[u8]| {
        let answer = scene.runtime.block_on(said(&line, bytes));
        let answer = answer.unwrap_or_else(|| panic!("{code}: no answer"));
        assert_eq!(answer.get(..2), Some(&[0x82, 1][..]), "{code}");
        let has_code = answer.windows(code.len()).any(|part| part == code.as_bytes());
        assert!(has_code, "{code}: {answer:?}");
    };
    refused("malformed", &[0xff, 0xff]);
    refused("malformed", &[0x82, 0x09, 0x80]);
    for kind in Kind::ALL {
        refused("malformed", &kind.begin());
        refused("malformed", &[&kind.begin()[..], &[0x9f, 0xff]].concat());
        refused("malformed", &[&kind.begin()[..], &[0x81, 0x9b, 0xff, 0xff, 0xff]].concat());
        refused("malformed", &[&kind.begin()[..], &[0xa0; 2000]].concat());
    }
    for kind in [Kind::Heads, Kind::Watch, Kind::Read, Kind::Head, Kind::Has, Kind::Chunk] {
        refused("too-large", &[&kind.begin()[..], &vec![0x80; kind.ask_bytes_max() + 1]].concat());
    }
    let noise: Vec<Vec<u8>> = (0..200).map(|n| scene.seed.bytes(n)).collect();
    for (at, body) in noise.iter().enumerate() {
        let kind = Kind::ALL[at % Kind::ALL.len()];
        let answer = scene.runtime.block_on(said(&line, &[&kind.begin()[..], body].concat()));
        assert_eq!(answer.unwrap().get(..2), Some(&[0x82, 1][..]), "{kind:?}");
    }
    for short in [&[][..], &[0x82]] {
        let answer = scene.runtime.block_on(said(&line, short));
        assert!(answer.unwrap_or_default().is_empty());
    }
    scene.serves_on();
}

/// PEE-3, PEE-8: a listed device writes what a device may write, and what does not verify is refused.
#[test]
fn pee_8_what_comes_is_checked() {
    let mut scene = Scene::new();
    let (_caller, store) = scene.reached_by(&scene.ada);
    let access = scene.access();
    let entry = scene.ada.entry(NOTES, vec![1; 60]);
    let head = scene.ada.head();
    let mut forged = *head.signature();
    forged.0[9] ^= 1;
    let forged = aura_protocol::signed::Signed::new(head.payload().to_vec(), forged);
    let push = pollster::block_on(store.push(&access, &forged, std::slice::from_ref(&entry)));
    assert!(matches!(push, Err(StoreError::Refused(_))), "{push:?}");
    pollster::block_on(store.push(&access, &head, &[entry])).unwrap();
    let (sealed, added) = chunk(&mut scene.seed, 100);
    let put = pollster::block_on(store.put(&access, added.name, &sealed));
    assert!(matches!(put, Err(StoreError::Absent)), "{put:?}");
    // PEE-8: what this device keeps, no other one lets go of.
    let gone = pollster::block_on(store.forget(&access, aura_protocol::id::Hash([1; 32])));
    assert!(matches!(gone, Err(StoreError::Unproven)), "{gone:?}");
}

/// PEE-7, attack AVL-04: who sends a byte now and then, or nothing, holds up nobody and is let go of.
#[test]
fn pee_7_a_slow_question_is_ended() {
    let scene = Scene::new();
    let (_caller, line) = scene.line();
    let ended = scene.runtime.block_on(async {
        let (mut send, mut recv) = line.open_bi().await.unwrap();
        send.write_all(&[&Kind::Push.begin()[..], &[0x82]].concat()).await.unwrap();
        let (mut silent, mut answer) = line.open_bi().await.unwrap();
        silent.write_all(&[0x82]).await.unwrap();
        let begun = Instant::now();
        tokio::task::block_in_place(|| scene.serves_on());
        assert!(begun.elapsed() < SILENCE / 2, "others are served meanwhile");
        let patience = SILENCE * 2;
        let pushed = tokio::time::timeout(patience, recv.read_to_end(100)).await.unwrap();
        let silent = tokio::time::timeout(patience, answer.read_to_end(100)).await.unwrap();
        (pushed.unwrap_or_default(), silent.unwrap_or_default())
    });
    assert_eq!(ended, (Vec::new(), Vec::new()));
}

/// PEE-7: a device has so many connections and no more.
#[test]
fn pee_7_connections_are_bounded() {
    let scene = Scene::new();
    let lines: Vec<_> = (0..6).map(|_| scene.line()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let open = lines.iter().filter(|(_, line)| line.close_reason().is_none()).count();
    assert_eq!(open, 4);
    scene.serves_on();
}

/// What a device in the second one's name says to whatever it is asked.
fn liar(scene: &Scene, says: &'static [u8], then: After) -> SocketAddr {
    let greeter: Arc<dyn Greeter> = Arc::new(Card(scene.ada.clone()));
    let anybody: Arc<dyn Source> = Arc::new(Anybody(scene.nora.device()));
    let judge = tls::Judge::new(&anybody, [0; 32], None);
    let tls = tls::server(scene.nora.vault(), &greeter, judge).unwrap();
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let _within = scene.runtime.enter();
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let at = endpoint.local_addr().unwrap();
    scene.runtime.spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.unwrap();
            tokio::spawn(async move {
                while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                    if matches!(then, After::Deaf) {
                        send.write_all(says).await.ok();
                        std::future::pending::<()>().await;
                    }
                    recv.read_to_end(1 << 24).await.ok();
                    send.write_all(says).await.ok();
                    match then {
                        After::End => drop(send.finish()),
                        After::Drip => {
                            while send.write_all(&[0x80]).await.is_ok() {
                                tokio::time::sleep(Duration::from_secs(1)).await;
                            }
                        }
                        After::Silence | After::Deaf => std::future::pending().await,
                        After::Endless => while send.write_all(&[0x80; 4096]).await.is_ok() {},
                        After::Reset => drop(send.reset(9u32.into())),
                    }
                }
            });
        }
    });
    at
}

#[derive(Clone, Copy)]
enum After {
    End,
    Silence,
    Endless,
    Reset,
    /// A byte each second.
    Drip,
    /// Nothing is read of what is asked.
    Deaf,
}

/// PEE-5, PEE-7, attack AVL-04: what a listed device answers is bounded in length and time, and read strictly.
#[test]
fn pee_5_false_answers_are_errors() {
    let scene = Scene::new();
    let ask = |says, then| {
        let at = liar(&scene, says, then).to_string();
        let store = PeerStore::new(&scene.node, scene.ada.device(), vec![at], Box::new(|| 1_000));
        let begun = Instant::now();
        let asked = pollster::block_on(store.heads(&scene.access(), &[]));
        assert!(begun.elapsed() < SILENCE * 3, "{:?}", begun.elapsed());
        asked
    };
    let whole: &[u8] = &[0x82, 0, 0x82, 0x80, 0x80];
    assert!(ask(whole, After::End).is_ok());
    let failed: &[(&[u8], After)] = &[
        (&[0x82, 0, 0x82, 0x80], After::End),
        (&[0x82, 0], After::End),
        (&[0x82], After::End),
        (&[], After::End),
        (&[0x82, 2, 0x80], After::End),
        (&[0x82, 0, 0xa0], After::End),
        (&[0x82, 0, 0x82, 0x80, 0x80, 0], After::End),
        (&[0x82, 1, 0x82, 0x60], After::End),
        (&[0x82, 0, 0x82, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], After::End),
        (&[0x82, 0], After::Endless),
        (&[0x82, 1], After::Endless),
        (whole, After::Reset),
    ];
    for (says, then) in failed {
        let asked = ask(says, *then);
        assert!(matches!(asked, Err(StoreError::Server(_))), "{says:?}: {asked:?}");
    }
    for says in [&[][..], &[0x82, 0]] {
        let asked = ask(says, After::Silence);
        assert!(matches!(asked, Err(StoreError::Unreachable(_))), "{says:?}: {asked:?}");
    }
}

/// PEE-7: an answer of which something comes all the time, and never enough, is ended as well.
#[test]
fn pee_7_a_dripping_answer_is_ended() {
    let scene = Scene::new();
    let at = liar(&scene, &[0x82, 0], After::Drip).to_string();
    let store = PeerStore::new(&scene.node, scene.ada.device(), vec![at], Box::new(|| 1_000));
    let begun = Instant::now();
    let asked = pollster::block_on(store.heads(&scene.access(), &[]));
    assert!(matches!(asked, Err(StoreError::Unreachable(_))), "{asked:?}");
    assert!((SILENCE..SILENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

/// PEE-7: who reads nothing is written to no longer than who says nothing is heard, however much there is to say.
#[test]
fn pee_7_a_reader_that_stops_is_let_go_of() {
    let scene = Scene::new();
    let at = liar(&scene, &[], After::Deaf).to_string();
    let inner = Arc::clone(&scene.node.inner);
    let asked = async move {
        let (_, line) = inner.call(&at, None).await?;
        let (mut send, _recv) = crate::peer::stream::open(&line).await.unwrap();
        let begun = Instant::now();
        let sent = crate::peer::stream::send(&mut send, Kind::Put.begin(), &vec![0; 8 << 20]).await;
        Ok((sent, begun.elapsed()))
    };
    let (sent, took) = pollster::block_on(scene.node.inner.run(asked)).unwrap();
    assert_eq!(sent, Err(crate::peer::stream::Broken::Late));
    assert!(took < SILENCE * 2, "{took:?}");
}
