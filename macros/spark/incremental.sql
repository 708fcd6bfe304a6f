{#-
  The incremental materialization of this project, with two strategies: `replace_where`, and `append_new` for a ledger
  whose body selects the rows that are not there yet. A model with any other strategy (an installed package's, say) is
  dbt-spark's own.

  Why not dbt-spark's (checked on 1.11.0): it has no strategy that replaces a range. `insert_overwrite` and
  `microbatch` on Delta overwrite partitions dynamically, which leaves a stale partition where a batch has no rows,
  and its staging view has no schema in its name, so that two models of one alias overwrite each other's under threads.
  `insert into ... replace where` is atomic, takes any predicate and handles empty ranges.

  A model names in its `meta`:
    scope: the macro that says what has changed; it gets the table's own relation and the watermark and returns a scope
    scope_column: the column of the table that the scope is about
    follows: the model whose changes this one takes up (for `append_new` a list of them), so that a run that skipped it is
      made good by the next
    raw: the raw table whose files or deliveries this one judges or records (see macros/landing/judged.sql)
    evolves: a macro that gets the table's own relation and adds the columns that the body is about to fill. Such a table
      keeps its columns for ever: it is made with those of the model's description, and --full-refresh replaces its rows
  The body filters with in_scope(column), which is `true` until a table is there to be replaced in part.
  With --empty dbt gives a model nothing to read: a table that is there is then left as it is, and one that is made then has
  no watermark, so that the next run fills it.
  The watermark is the table property `strata.through`, set after the write: a run killed in between does the same
  range once more, which changes nothing. A restore of the table restores its watermark with it.
-#}
{% materialization incremental, adapter='spark' %}
    {%- if config.get('incremental_strategy') not in ('replace_where', 'append_new') -%}
        {{ return(dbt.materialization_incremental_spark()) }}
    {%- endif -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set existing = load_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- set through = none if flags.EMPTY else changes_through(meta.get('follows')) -%}
    {%- set watermarks = {} -%}
    {%- if through is not none -%}
        {% do watermarks.update({'strata.through': through}) %}
    {%- endif -%}
    {%- if meta.get('raw') and not flags.EMPTY -%}
        {% do watermarks.update({'strata.judged_through': newest_version(followed_relation(meta.raw)).version}) %}
    {%- endif -%}
    {%- if flags.EMPTY and existing is not none -%}
        {% call noop_statement('main', 'OK left as it is by --empty') -%} {%- endcall %}
    {%- elif (existing is none or should_full_refresh()) and not meta.get('evolves') -%}
        {%- do model.update({'properties': watermarks}) -%}
        {% call statement('main') -%}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- endcall %}
        {% do persist_constraints(target_relation, model) %}
        {% do persist_docs(target_relation, model) %}
    {%- else -%}
        {%- if existing is none -%}
            {% do create_delta_table(model, target_relation, described_columns(model, compiled_code)) %}
        {%- endif -%}
        {%- set known_through = table_property(target_relation, 'strata.through') -%}
        {%- set scope = none -%}
        {%- if existing is none or should_full_refresh() -%}
            {%- set scope = {'everything': true} -%}
        {%- elif meta.get('follows') is none or (through is not none and through != known_through) -%}
            {%- set scope = context[meta.scope](target_relation, known_through, through) if meta.get('scope') else {} -%}
        {%- endif -%}
        {%- if scope is none -%}
            {% call noop_statement('main', 'OK nothing changed') -%} {%- endcall %}
        {%- else -%}
            {% do context[meta.evolves](target_relation) if meta.get('evolves') %}
            {%- set sql = in_columns_of(target_relation, compiled_code) if meta.get('evolves') else compiled_code -%}
            {% call statement('main') -%}
                {%- if config.get('incremental_strategy') == 'append_new' -%}
                insert into {{ target_relation }} {{ sql }}
                {%- else -%}
                {{ replace_where(target_relation, scope, meta.get('scope_column'), sql) }}
                {%- endif -%}
            {%- endcall %}
        {%- endif -%}
        {%- if (scope is not none and through != known_through) or meta.get('raw') -%}
            {% do note_properties(target_relation, watermarks) %}
        {%- endif -%}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#-
  How far the model that a table follows has come: its own watermark, or where it keeps a `changed_at`, the newest of
  these. Text of a timestamp, or none where nothing is followed or nothing has come; of a list of models, their texts.
-#}
{% macro changes_through(followed) %}
    {%- if followed is none -%}
        {{ return(none) }}
    {%- elif followed is not string -%}
        {%- set texts = [] -%}
        {%- for name in followed -%}
            {% do texts.append(changes_through(name) or '-') %}
        {%- endfor -%}
        {{ return(texts | join(' ')) }}
    {%- endif -%}
    {%- set relation = followed_relation(followed) -%}
    {%- if built_node(followed).config.get('meta', {}).get('follows') -%}
        {{ return(table_property(relation, 'strata.through')) }}
    {%- endif -%}
    {{ return(run_query('select cast(max(changed_at) as string) from ' ~ relation)[0][0]) }}
{% endmacro %}


{#- The relation of a model that this one follows; one that is not there yet is named. -#}
{% macro followed_relation(name) %}
    {%- set relation = built_relation(name) -%}
    {%- if relation is none -%}
        {% do exceptions.raise_compiler_error(
            model.name ~ ' follows ' ~ name ~ ", which has not been built: select it too, as in 'dbt build' or"
            ~ " 'dbt run --select +" ~ model.name ~ "'."
        ) %}
    {%- endif -%}
    {{ return(relation) }}
{% endmacro %}
