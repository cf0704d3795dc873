#[test]
fn scratch() {
    for f in std::env::var("F").unwrap().split(" ").map(String::from) {
        let t = std::time::Instant::now();
        let text = std::fs::read_to_string(&f).unwrap();
        let r = ringmain_config::load(&f, &text, &Default::default());
        println!("{:?}", t.elapsed());
        match r {
            Ok(l) => {
                if l.bootstrap.clusters.len() < 5 {
                    println!("{:#?}", l.bootstrap)
                };
                for w in l.warnings {
                    println!("{w}")
                }
            }
            Err(e) => println!("{e}"),
        }
    }
}
