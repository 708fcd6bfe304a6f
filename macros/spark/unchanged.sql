{#-
  What need not be done again (python/strata/unchanged.py): a data test that has passed, and a table that was made, of just what is
  there now. Any other commit of a table that they read, whoever made it (a run, a restore, a hand), any other SQL or variable
  has them done again; so does anything that they read and that is not told: a source, a view that reads files of its own, the time.
-#}

{#- dbt's data tests, without those that can find nothing new. `--vars '{test_everything: true}'` runs all. -#}
{% materialization test, adapter='spark' %}
    {%- set limited = get_limit_subquery_sql(sql, config.get('limit')) -%}
    {%- set asked = get_test_sql(limited, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) -%}
    {%- set digest = none if should_store_failures() else _digest_of_inputs(asked) -%}
    {%- set test = schema ~ '.' ~ model.unique_id -%}
    {%- if modules.strata.has_passed(test, '' if var('test_everything') else digest or '') -%}
        {% do store_raw_result('main', message='not run again', code='', rows_affected=0, agate_table=modules.strata.nothing_found()) %}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- set done = dbt.materialization_test_default() -%}
    {%- set found = load_result('main').table.rows[0] -%}
    {%- if digest and found[0] == 0 and not found[1] and not found[2] -%}
        {% do modules.strata.note_passed(test, digest) %}
    {%- endif -%}
    {{ return(done) }}
{% endmaterialization %}


{#- dbt's tables, without those that would be made anew of the same. One that somebody changed since is made anew. -#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
    {%- set digest = _digest_of_inputs(compiled_code) if _is_in_lake(model) -%}
    {%- set existing = load_relation(this) -%}
    {%- set is_there = digest and existing is not none and existing.type == 'table' and not should_full_refresh() -%}
    {%- if is_there and _newest_version(existing).is_made_anew and _table_property(existing, 'strata.made_of') == digest -%}
        {{ run_hooks(pre_hooks) }}
        {% call noop_statement('main', 'OK nothing changed') -%} {%- endcall %}
        {{ run_hooks(post_hooks) }}
        {{ return({'relations': [this.incorporate(type='table')]}) }}
    {%- endif -%}
    {%- if digest -%}
        {% do model.update({'properties': {'strata.made_of': digest}}) %}
    {%- endif -%}
    {{ return(dbt.materialization_table_spark()) }}
{% endmaterialization %}


{#- Whether a node's table is one of Delta's that lies where the lake's tables lie, so that its log is read. -#}
{% macro _is_in_lake(node) %}
    {{ return(node.config.get('file_format') == 'delta' and not node.config.get('location_root')) }}
{% endmacro %}


{#- The digest of what the node that runs reads by a query; none where that is not all told. -#}
{% macro _digest_of_inputs(sql) %}
    {%- set reads = {} -%}
    {%- set leaves = [] -%}
    {%- if _add_reads(model.depends_on.nodes, reads, leaves) -%}
        {{ return(modules.strata.digest(sql, reads, is_of_tables=not leaves)) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{#-
  Add to `reads` what nodes give to read, by the node: of a table the mark of its newest commit, of a view its text, and what
  that reads; what is ephemeral stands in the query itself. `leaves` are views and ephemeral ones that read no table that dbt knows.
  False where something is not a node, or is not there.
-#}
{% macro _add_reads(nodes, reads, leaves) %}
    {%- for unique_id in nodes if unique_id not in reads -%}
        {%- set node = graph.nodes.get(unique_id) -%}
        {%- set is_ephemeral = node is not none and node.config.materialized == 'ephemeral' -%}
        {%- set relation = none if node is none or is_ephemeral else _built_relation(node.name) -%}
        {%- if node is none or (relation is none and not is_ephemeral) -%}
            {{ return(false) }}
        {%- elif is_ephemeral or relation.type == 'view' -%}
            {% do reads.update({unique_id: '' if is_ephemeral else run_query('show create table ' ~ relation)[0][0]}) %}
            {% do leaves.extend([] if node.depends_on.nodes else [unique_id]) %}
            {%- if not _add_reads(node.depends_on.nodes, reads, leaves) -%}
                {{ return(false) }}
            {%- endif -%}
        {%- elif not _is_in_lake(node) -%}
            {{ return(false) }}
        {%- else -%}
            {% do reads.update({unique_id: _newest_version(relation).mark}) %}
        {%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{% endmacro %}


{#- Keep what has passed in this run, and say how many tests were not run again. -#}
{% macro keep_passed_tests() %}
    {%- if execute -%}
        {%- if modules.strata.spared() -%}
            {% do log(
                modules.strata.spared() ~ ' data tests had passed and read nothing that has changed: they were not run again '
                ~ "(--vars '{test_everything: true}' runs all).", info=true
            ) %}
        {%- endif -%}
        {%- set said = modules.strata.keep_passed() -%}
        {%- if said -%}
            {% do exceptions.warn(said) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
