//! Discovery by ECS and Cloud Map: against a scripted fake of the APIs, and against moto.

mod bad_input;
mod cloud_map;
mod failures;
mod life_cycle;
mod moto;
mod rig;
