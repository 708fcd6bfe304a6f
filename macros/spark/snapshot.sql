{#-
  The snapshot materialization of this project: dbt's `check` strategy, made safe for daily full deliveries. It is for
  snapshots that say in their `meta` which deliveries they are of (raw, deliveries, rebuilt); any other is dbt-spark's own.

  Why not dbt-spark's (checked on dbt-adapters 1.24.5, dbt-spark 1.11.0): it dates versions by the wall clock, takes any
  delivery in any order, ends every row for an empty one, and fails for ever on a corrected one (dbt-core#7138,
  dbt-adapters#1329, #1401, #1759, #2101); and it evaluates the query three times. From dbt's strategy comes
  the comparison of `check_cols`, null-safe; macros/purchases holds the rest. The key of a version is the
  purchase and its number, so that dbt's hash of both is not kept: random text was half of what a MERGE writes.

  What a run does, by the environment variable STRATA_HISTORY, which the command line `strata` sets:
    (not set): load what has landed and take the oldest pending day, or the one that `snapshot_date` names
    catch-up: take every pending day; replay: the same, from STRATA_REPLAY_FROM on, whatever the history held of it
    rebuild: put the whole history, as the model `meta.rebuilt` derives it, in the place of what is there
-#}
{% materialization snapshot, adapter='spark' %}
    {%- set meta = config.get('meta', {}) -%}
    {%- if not meta.get('deliveries') -%}
        {{ return(dbt.materialization_snapshot_spark()) }}
    {%- endif -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- if config.get('strategy') != 'check' or config.get('hard_deletes') != 'invalidate'
        or config.get('unique_key') is not string or config.get('check_cols') is string -%}
        {% do exceptions.raise_compiler_error(
            "Snapshot " ~ model.name ~ " must have the strategy check, hard_deletes invalidate, one column as unique_key and"
            ~ " a list of check_cols: this project has no other."
        ) %}
    {%- endif -%}
    {%- if flags.EMPTY -%}
        {% do exceptions.raise_compiler_error(
            'With --empty a snapshot would find nothing delivered: run it without, the history is as it was.'
        ) %}
    {%- endif -%}
    {%- if flags.FULL_REFRESH -%}
        {{ log("--full-refresh leaves the history " ~ relation ~ " as it is: 'strata rebuild' makes it anew.", info=True) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}

    {% do load_deliveries(meta) %}
    {%- if load_relation(relation) is none -%}
        {% do create_delta_table(model, relation, empty_history()) %}
    {%- endif -%}
    {% do ensure_history_days(meta) %}
    {% do take_over_days_as_text(model.name) %}
    {%- set state = history_state(relation, meta) -%}
    {%- set mode = env_var('STRATA_HISTORY', '') -%}
    {%- if mode == 'rebuild' -%}
        {% do rebuild_history(relation, state, meta) %}
    {%- else -%}
        {% do take_pending_days(relation, state, meta, mode, compiled_code) %}
    {%- endif -%}
    {% call noop_statement('main', 'OK') -%} {%- endcall %}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}
